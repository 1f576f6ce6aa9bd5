/** Lets `burst` through at once and `perSecond` in the long run. Keeps two numbers and no timer. */
export class TokenBucket {
  private tokens: number;

  constructor(
    private readonly burst: number,
    private readonly perSecond: number,
    private updatedAt: number,
  ) {
    this.tokens = burst;
  }

  /** Takes one if there is one. @param now milliseconds, never going backwards */
  take(now: number): boolean {
    this.fill(now);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  /** Whether it is as a new one would be. @param now milliseconds, never going backwards */
  isFull(now: number): boolean {
    this.fill(now);
    return this.tokens === this.burst;
  }

  private fill(now: number): void {
    this.tokens = Math.min(
      this.burst,
      this.tokens + ((now - this.updatedAt) / 1000) * this.perSecond,
    );
    this.updatedAt = now;
  }
}

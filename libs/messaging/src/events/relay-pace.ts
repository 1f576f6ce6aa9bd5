/** Events seldom come alone: for a while after one, the next is looked for often. */
export const LIVELY_WAIT_MS = 25;
export const LIVELY_FOR_MS = 1000;
/** All services that have nothing to publish look as well; more often would take the machine from those that have. */
export const QUIET_WAIT_MS = 100;
/**
 * Under load, events are gathered for longer: what is published together is also handled together, and a transaction
 * costs everybody more than the event in it.
 */
export const BUSY_WAIT_MS = 100;
const BUSY_FROM_PER_SECOND = 100;

/** How long the relay waits between its looks into the outbox. */
export class RelayPace {
  private wait = LIVELY_WAIT_MS;
  private publishedAt = Date.now();

  get waitMs(): number {
    return this.wait;
  }

  /** Takes note of what the look after the last wait found. */
  note(published: number): void {
    const now = Date.now();
    if (published > 0) this.publishedAt = now;
    if (published * 1000 >= BUSY_FROM_PER_SECOND * this.wait) this.wait = BUSY_WAIT_MS;
    else this.wait = now - this.publishedAt < LIVELY_FOR_MS ? LIVELY_WAIT_MS : QUIET_WAIT_MS;
  }
}

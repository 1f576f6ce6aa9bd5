interface Waiting<Key> {
  readonly key: Key;
  readonly start: () => void;
}

export interface LimiterOptions {
  /** How many works run at once. */
  total: number;
  /** How many of each key. */
  perKey: number;
}

/** Lets so many works run at once, and so many of each key; the others wait, first come, first served. */
export class Limiter<Key> {
  private running = 0;
  private readonly runningOfKey = new Map<Key, number>();
  private readonly waiting: Waiting<Key>[] = [];

  constructor(private readonly options: LimiterOptions) {}

  /** Runs the work when there is room for it. Resolves and rejects as the work does. */
  async run<Result>(key: Key, work: () => Promise<Result>): Promise<Result> {
    if (this.hasRoom(key)) this.enter(key);
    else await new Promise<void>((start) => this.waiting.push({ key, start }));
    try {
      return await work();
    } finally {
      this.leave(key);
    }
  }

  private hasRoom(key: Key): boolean {
    const { total, perKey } = this.options;
    return this.running < total && (this.runningOfKey.get(key) ?? 0) < perKey;
  }

  private enter(key: Key): void {
    this.running++;
    this.runningOfKey.set(key, (this.runningOfKey.get(key) ?? 0) + 1);
  }

  private leave(key: Key): void {
    this.running--;
    const others = (this.runningOfKey.get(key) ?? 1) - 1;
    if (others === 0) this.runningOfKey.delete(key);
    else this.runningOfKey.set(key, others);
    const index = this.waiting.findIndex((one) => this.hasRoom(one.key));
    const [next] = index === -1 ? [] : this.waiting.splice(index, 1);
    if (!next) return;
    this.enter(next.key);
    next.start();
  }
}

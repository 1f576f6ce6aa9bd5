import { ApplicationError } from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';

export interface HashingQueueOptions {
  /** Completes “Too many … at the moment”. */
  what: string;
  /** How many run at the same time: each takes `ARGON2_MEMORY_KIB`, and more than there are cores would slow all of them down. */
  atOnce: number;
  /** How many may wait. */
  longest: number;
}

const retryAfterSeconds = 2;

/**
 * Runs hashes in turn, a few at a time, and refuses what would wait too long. What has waited beyond the deadline of its
 * request is dropped: its client was answered already, and may have tried again.
 */
export class HashingQueue {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly options: HashingQueueOptions) {}

  /** @throws ApplicationError OVERLOADED when too many wait already */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { what, atOnce, longest } = this.options;
    if (this.running >= atOnce) {
      if (this.waiting.length >= longest) {
        throw new ApplicationError(
          'OVERLOADED',
          `Too many ${what} at the moment; try again shortly.`,
          { retryAfterSeconds },
        );
      }
      // The one before hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.running += 1;
    }
    try {
      requestContext.current()?.signal?.throwIfAborted();
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}

import { Logger } from '@nestjs/common';
import { unavailable } from './database-errors.js';

export interface PeriodicWork {
  /** Who works, as the log names it. */
  name: string;
  /** Pause between the end of a turn and the next turn, in milliseconds. */
  everyMs: number;
  /** Whether the first turn comes right at the start instead of after the first pause. Default false. */
  atOnce?: boolean;
  /**
   * One turn. What it leaves undone when `stopping` fires is left for the next start.
   * @throws anything: it is logged, and the next turn tries again
   */
  turn: (stopping: AbortSignal) => Promise<unknown>;
  /** What the log says when a turn fails, such as “Event logs could not be trimmed”. */
  failure: string;
}

/**
 * Work on the database that a process does again and again: sweeping, cleaning, sending. Turns never overlap, and a
 * failure ends only the turn. A missing database is not logged here, as health checks report it.
 */
export class Periodic {
  private readonly logger: Logger;
  private readonly stopping = new AbortController();
  private running?: Promise<void>;
  private woken = false;
  private endPause: () => void = () => undefined;

  constructor(private readonly work: PeriodicWork) {
    this.logger = new Logger(work.name);
  }

  /** Begins; a second call does nothing. */
  start(): void {
    this.running ??= this.run();
  }

  /** Makes the next turn come now, or right after the one in hand. */
  wake(): void {
    this.woken = true;
    this.endPause();
  }

  /** Ends for good; resolves once the turn in hand is over. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.endPause();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    if (!this.work.atOnce) await this.pause();
    while (!signal.aborted) {
      this.woken = false;
      await this.turnQuietly(signal);
      await this.pause();
    }
  }

  private async turnQuietly(signal: AbortSignal): Promise<void> {
    const { turn, failure } = this.work;
    try {
      await turn(signal);
    } catch (error) {
      if (unavailable(error)) this.logger.debug(`${failure}: the database is away.`);
      else this.logger.error(`${failure}; the next turn tries again.`, error);
    }
  }

  private async pause(): Promise<void> {
    if (this.woken || this.stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.work.everyMs);
      timer.unref();
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

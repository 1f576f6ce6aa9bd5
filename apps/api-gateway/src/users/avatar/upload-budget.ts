import { ApplicationError } from '@mentorhub/contracts';

/** What all uploads together may occupy, in bytes. */
const mostBytes = 24 * 1024 * 1024;
/** After so long an upload gives way to others, in milliseconds: a client cannot keep the memory by being slow. */
const patienceMs = 10_000;

const retryAfterSeconds = patienceMs / 1000;

/** An upload in memory. */
export interface OpenUpload {
  /** Fires when it has to give way; the reason is the answer. */
  readonly signal: AbortSignal;
  /** Counts bytes that have arrived. @throws ApplicationError OVERLOADED when there is no room for them */
  grow(bytes: number): void;
  /** Gives its memory back. */
  end(): void;
}

interface Entry {
  readonly userId: number;
  readonly begunAt: number;
  readonly abort: AbortController;
  bytes: number;
}

export interface UploadBudgetOptions {
  mostBytes?: number;
  patienceMs?: number;
}

/**
 * Bounds the memory of uploads, whatever their number. Counted are bytes that have arrived, so that a slow client occupies
 * what it has sent and nothing else; when there is no room, the one that has taken longest gives way.
 */
export class UploadBudget {
  private bytes = 0;
  /** The oldest first. */
  private readonly entries = new Set<Entry>();

  constructor(private readonly options: UploadBudgetOptions = {}) {}

  /** Begins an upload. An earlier one of the same user, whose client has most often gone, gives way at once. */
  open(userId: number): OpenUpload {
    for (const other of this.entries) {
      if (other.userId === userId) this.end(other, replaced());
    }
    const entry = { userId, begunAt: performance.now(), abort: new AbortController(), bytes: 0 };
    this.entries.add(entry);
    return {
      signal: entry.abort.signal,
      grow: (bytes) => this.grow(entry, bytes),
      end: () => this.end(entry),
    };
  }

  private grow(entry: Entry, bytes: number): void {
    if (!this.entries.has(entry)) return;
    const { mostBytes: most = mostBytes } = this.options;
    while (this.bytes + bytes > most) {
      const slowest = this.slowest(entry);
      if (!slowest) throw overloaded();
      this.end(slowest, overloaded());
    }
    entry.bytes += bytes;
    this.bytes += bytes;
  }

  private slowest(than: Entry): Entry | undefined {
    const { patienceMs: patience = patienceMs } = this.options;
    const overdue = performance.now() - patience;
    for (const entry of this.entries) {
      if (entry !== than && entry.begunAt <= overdue && entry.bytes > 0) return entry;
    }
    return undefined;
  }

  private end(entry: Entry, reason?: ApplicationError): void {
    if (!this.entries.delete(entry)) return;
    this.bytes -= entry.bytes;
    if (reason) entry.abort.abort(reason);
  }
}

function overloaded(): ApplicationError {
  return new ApplicationError('OVERLOADED', 'Too many uploads at the moment; try again shortly.', {
    retryAfterSeconds,
  });
}

function replaced(): ApplicationError {
  return new ApplicationError('CONFLICT', 'A later upload of yours took the place of this one.');
}

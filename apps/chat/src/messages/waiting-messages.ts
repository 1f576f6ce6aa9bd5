import type { NewMessage, StoredMessage } from './stored-message.js';

/** A message to be stored, and the promise of its sender. */
export interface Waiting {
  readonly message: NewMessage;
  /** Takes `undefined` for a duplicate. */
  readonly resolve: (stored: StoredMessage | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** When a log of its chat was first found locked, in milliseconds. */
  lockedSince?: number;
}

const maxBatch = 200;
/** At most so many deferred ones in a batch, so that locked logs do not block all other chats. */
const maxDeferredInBatch = maxBatch / 2;
/** Another replica usually stores its batch, and unlocks the logs, in less. */
const retryMs = 10;

/**
 * The messages to be stored, in order. Those whose logs were locked are deferred, with all later ones of their chats,
 * and tried again some milliseconds later; messages of other chats may overtake them.
 */
export class WaitingMessages {
  private readonly queue: Waiting[] = [];
  private readonly deferred = new Map<number, Waiting[]>();
  private deferredCount = 0;
  private retryAt = 0;

  get size(): number {
    return this.queue.length + this.deferredCount;
  }

  push(waiting: Waiting): void {
    this.queue.push(waiting);
  }

  /** Takes the next batch; empty while all are deferred. @param now milliseconds */
  take(now: number): Waiting[] {
    if (this.deferredCount === 0) return this.queue.splice(0, maxBatch);
    const batch = now < this.retryAt ? [] : this.takeDeferred();
    let taken = 0;
    for (const waiting of this.queue) {
      if (batch.length === maxBatch) break;
      taken++;
      const behind = this.deferred.get(waiting.message.chat.id);
      if (behind) {
        behind.push(waiting);
        this.deferredCount++;
      } else {
        batch.push(waiting);
      }
    }
    this.queue.splice(0, taken);
    return batch;
  }

  /** Puts back messages of a batch whose logs were locked; they go before the others of their chats. */
  defer(messages: readonly Waiting[], now: number): void {
    const byChat = new Map<number, Waiting[]>();
    for (const waiting of messages) {
      const { id } = waiting.message.chat;
      const first = byChat.get(id);
      if (first) first.push(waiting);
      else byChat.set(id, [waiting]);
    }
    for (const [chatId, first] of byChat) {
      const behind = this.deferred.get(chatId) ?? [];
      // At the end of the map, so that every chat has its turn.
      this.deferred.delete(chatId);
      this.deferred.set(chatId, [...first, ...behind]);
    }
    this.deferredCount += messages.length;
    this.retryAt = now + retryMs;
  }

  /** Milliseconds until the next batch can be taken. */
  pauseMs(now: number): number {
    return this.queue.length > 0 ? 0 : Math.max(0, this.retryAt - now);
  }

  private takeDeferred(): Waiting[] {
    const batch: Waiting[] = [];
    for (const [chatId, messages] of this.deferred) {
      batch.push(...messages.splice(0, maxDeferredInBatch - batch.length));
      if (messages.length === 0) this.deferred.delete(chatId);
      if (batch.length === maxDeferredInBatch) break;
    }
    this.deferredCount -= batch.length;
    return batch;
  }
}

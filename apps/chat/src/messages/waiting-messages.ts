import type { NewMessage, StoredMessage } from './stored-message.js';

/** A message that waits to be stored, and who waits for it. */
export interface Waiting {
  readonly message: NewMessage;
  /** Takes `undefined` for a duplicate. */
  readonly resolve: (stored: StoredMessage | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** When a log of its chat was first found locked, in milliseconds. */
  lockedSince?: number;
}

const maxBatch = 200;
/** Of these, so that those who wait for a lock cannot keep out everyone else. */
const maxHeldInBatch = maxBatch / 2;
/** Another replica stores a batch in less; a transaction that takes longer is not asked for all the time. */
const retryMs = 10;

/**
 * The messages that wait to be stored, in their order. Those whose logs were locked are held back, with all that follow
 * in their chats, and tried again some milliseconds later; the others pass them.
 */
export class WaitingMessages {
  private readonly queue: Waiting[] = [];
  private readonly held = new Map<number, Waiting[]>();
  private heldCount = 0;
  private retryAt = 0;

  get size(): number {
    return this.queue.length + this.heldCount;
  }

  push(waiting: Waiting): void {
    this.queue.push(waiting);
  }

  /** Takes the next batch; empty when all that wait are held back for now. @param now milliseconds */
  take(now: number): Waiting[] {
    if (this.heldCount === 0) return this.queue.splice(0, maxBatch);
    const batch = now < this.retryAt ? [] : this.takeHeld();
    let taken = 0;
    for (const waiting of this.queue) {
      if (batch.length === maxBatch) break;
      taken++;
      const behind = this.held.get(waiting.message.chat.id);
      if (behind) {
        behind.push(waiting);
        this.heldCount++;
      } else {
        batch.push(waiting);
      }
    }
    this.queue.splice(0, taken);
    return batch;
  }

  /** Takes back messages of a batch whose logs were locked; they go before the others of their chats. */
  hold(messages: readonly Waiting[], now: number): void {
    const byChat = new Map<number, Waiting[]>();
    for (const waiting of messages) {
      const { id } = waiting.message.chat;
      const first = byChat.get(id);
      if (first) first.push(waiting);
      else byChat.set(id, [waiting]);
    }
    for (const [chatId, first] of byChat) {
      const behind = this.held.get(chatId) ?? [];
      // At the end of the map, so that every chat has its turn.
      this.held.delete(chatId);
      this.held.set(chatId, [...first, ...behind]);
    }
    this.heldCount += messages.length;
    this.retryAt = now + retryMs;
  }

  /** How long it makes no sense to take a batch, in milliseconds. */
  pauseMs(now: number): number {
    return this.queue.length > 0 ? 0 : Math.max(0, this.retryAt - now);
  }

  private takeHeld(): Waiting[] {
    const batch: Waiting[] = [];
    for (const [chatId, messages] of this.held) {
      batch.push(...messages.splice(0, maxHeldInBatch - batch.length));
      if (messages.length === 0) this.held.delete(chatId);
      if (batch.length === maxHeldInBatch) break;
    }
    this.heldCount -= batch.length;
    return batch;
  }
}

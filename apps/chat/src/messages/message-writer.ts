import { setImmediate as turn } from 'node:timers/promises';
import { ApplicationError } from '@mentorhub/contracts';
import { classifyDatabaseError, isUniqueViolation } from '@mentorhub/persistence';
import { Injectable, Logger } from '@nestjs/common';
import { MessageSignals } from './message-signals.js';
import { MessageStore } from './message-store.js';
import { RecentClientIds } from './recent-client-ids.js';
import type { NewMessage, StoredMessage } from './stored-message.js';
import { type Waiting, WaitingMessages } from './waiting-messages.js';

/** The outcome of a message. A `locked` one was not stored because someone else has locked a log of its chat. */
type Outcome =
  | { readonly kind: 'stored'; readonly stored: StoredMessage }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'locked' }
  | { readonly kind: 'failed'; readonly error: unknown };

const maxWaiting = 5000;
/** Nearly as long as a gateway waits for the answer. */
const maxLockedMs = 4000;
/** Where one client id is met that another process stored, there are more: their gateway or ours began anew. */
const batchesCheckedFirst = 100;
const maxAttempts = 3;

/**
 * Group commit: messages that arrive while a statement is in flight are stored together by the next one. Alone, a
 * message is stored at once.
 */
@Injectable()
export class MessageWriter {
  private readonly logger = new Logger(MessageWriter.name);
  private readonly waiting = new WaitingMessages();
  private readonly recent = new RecentClientIds();
  /** How many batches are still compared with the database before they are stored. */
  private checkedFirst = 0;
  private inFlight = false;
  private scheduled = false;
  private endPause: (() => void) | undefined;

  constructor(
    private readonly messages: MessageStore,
    private readonly signals: MessageSignals,
  ) {}

  /**
   * Stores a message and what follows from it, signals it to the open sockets, and resolves; to `undefined` for a
   * duplicate.
   * @throws ApplicationError `OVERLOADED` when too many wait already, `SERVICE_UNAVAILABLE` when a log of its chat stays
   * locked
   */
  async store(message: NewMessage): Promise<StoredMessage | undefined> {
    if (this.waiting.size >= maxWaiting) {
      throw new ApplicationError(
        'OVERLOADED',
        'Too many messages at once. Try again in a moment.',
        {
          retryAfterSeconds: 1,
        },
      );
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject });
      this.endPause?.();
      this.schedule();
    });
  }

  /** Waits for the end of the event loop's turn, so that the messages of one packet are one batch. */
  private schedule(): void {
    if (this.scheduled || this.inFlight) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.run();
    });
  }

  /**
   * Stores batch after batch until nothing waits. One statement at a time: the users of a second one would mostly wait
   * for the logs that the first has locked. The next one is sent before the results of the last are published.
   */
  private async run(): Promise<void> {
    this.inFlight = true;
    let finishLast: (() => void) | undefined;
    while (this.waiting.size > 0) {
      const batch = this.waiting.take(performance.now());
      if (batch.length === 0) {
        finishLast?.();
        finishLast = undefined;
        await this.pause();
        continue;
      }
      const storing = this.storeBatch(batch.map(({ message }) => message));
      await turn();
      finishLast?.();
      const outcomes = await storing;
      this.deferLocked(batch, outcomes);
      finishLast = () => this.finish(batch, outcomes);
    }
    this.inFlight = false;
    finishLast?.();
  }

  /** Until deferred messages may be tried again, or another message arrives. */
  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.waiting.pauseMs(performance.now()));
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.endPause = undefined;
  }

  /** The outcome of each message of a batch. Never rejects. */
  private async storeBatch(batch: readonly NewMessage[]): Promise<Outcome[]> {
    try {
      return await this.tryToStore(batch);
    } catch (error) {
      // A fault that passes or concerns all would only occur again; a refused value concerns one message.
      const { status = 0 } = classifyDatabaseError(error) ?? {};
      if (batch.length === 1 || status >= 500) {
        return batch.map(() => ({ kind: 'failed', error }));
      }
      // One that the database refuses must not take the others with it.
      const outcomes: Outcome[] = [];
      for (const message of batch) outcomes.push(...(await this.storeBatch([message])));
      return outcomes;
    }
  }

  /** Stores the messages whose client ids are new. @throws when nothing can be stored */
  private async tryToStore(batch: readonly NewMessage[]): Promise<Outcome[]> {
    let fresh = this.withoutRecent(batch);
    if (this.checkedFirst > 0) {
      this.checkedFirst--;
      fresh = await this.withoutStored(fresh);
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return this.outcomes(batch, fresh, await this.messages.insert(fresh));
      } catch (error) {
        if (attempt === maxAttempts || !isUniqueViolation(error, 'messages_client_id')) throw error;
        this.checkedFirst = batchesCheckedFirst;
        fresh = await this.withoutStored(fresh);
      }
    }
  }

  /** Leaves out messages whose client id was stored lately, or came earlier in the batch. */
  private withoutRecent(batch: readonly NewMessage[]): readonly NewMessage[] {
    const clientIds = batch.flatMap(({ clientId }) => clientId ?? []);
    // Nearly always so, and found without a key for each message.
    const unique = new Set(clientIds).size === clientIds.length;
    if (unique && !batch.some((message) => this.recent.has(message))) return batch;
    const seen = new Set<string>();
    return batch.filter((message) => {
      if (this.recent.has(message)) return false;
      const key = keyOf(message);
      if (key === undefined) return true;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  private async withoutStored(fresh: readonly NewMessage[]): Promise<readonly NewMessage[]> {
    const stored = await this.messages.storedBefore(fresh);
    return fresh.filter((message) => !stored.has(message));
  }

  /** @param fresh those of the batch that were tried; the others are duplicates */
  private outcomes(
    batch: readonly NewMessage[],
    fresh: readonly NewMessage[],
    stored: ReadonlyMap<NewMessage, StoredMessage>,
  ): Outcome[] {
    const tried = stored.size === batch.length ? undefined : new Set(fresh);
    const locked = new Set<string | undefined>();
    return batch.map((message): Outcome => {
      const one = stored.get(message);
      if (one) {
        this.recent.add(message);
        return { kind: 'stored', stored: one };
      }
      const key = keyOf(message);
      if (tried?.has(message)) {
        if (key !== undefined) locked.add(key);
        return { kind: 'locked' };
      }
      // Of several with one client id the first is still to be stored.
      return { kind: locked.has(key) ? 'locked' : 'duplicate' };
    });
  }

  /** Defers messages whose logs were locked; those that were locked too long fail. */
  private deferLocked(batch: readonly Waiting[], outcomes: Outcome[]): void {
    const now = performance.now();
    const deferred = batch.filter((waiting, index) => {
      if (outcomes[index]?.kind !== 'locked') return false;
      waiting.lockedSince ??= now;
      if (now - waiting.lockedSince < maxLockedMs) return true;
      const error = new ApplicationError('SERVICE_UNAVAILABLE', 'This chat is busy. Try again.', {
        retryAfterSeconds: 1,
      });
      outcomes[index] = { kind: 'failed', error };
      return false;
    });
    if (deferred.length > 0) this.waiting.defer(deferred, now);
  }

  /** Signals the stored messages, and resolves or rejects the senders' promises; deferred messages keep waiting. */
  private finish(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
    try {
      this.signals.publish(
        outcomes.flatMap((outcome) => (outcome.kind === 'stored' ? outcome.stored : [])),
      );
    } catch (error) {
      // They are stored; nobody's answer may depend on what else is done about it.
      this.logger.error('Stored messages could not be signalled to the open sockets.', error);
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index]!;
      if (outcome.kind === 'stored') resolve(outcome.stored);
      else if (outcome.kind === 'duplicate') resolve(undefined);
      else if (outcome.kind === 'failed') reject(outcome.error);
    }
  }
}

function keyOf({ senderId, clientId }: NewMessage): string | undefined {
  return clientId === undefined ? undefined : `${senderId} ${clientId}`;
}

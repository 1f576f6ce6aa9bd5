import { setImmediate as turn } from 'node:timers/promises';
import { ApplicationError } from '@mentorhub/contracts';
import {
  classifyDatabaseError,
  isSerializationFailure,
  isUniqueViolation,
  preparedQuery,
} from '@mentorhub/persistence';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { DirectChat } from '../chats/direct-chats.js';
import { MessageSignals } from './message-signals.js';
import { storeMessagesSql } from './store-messages.sql.js';

/** A message to store, checked already: the sender takes part in the chat, the text may be stored. */
export interface NewMessage {
  readonly chat: DirectChat;
  readonly senderId: number;
  readonly text: string;
  /** Stored once per sender; later ones are duplicates. */
  readonly clientId?: string;
  /** Names the post of a socket that the message came with. */
  readonly origin?: string;
  /** W3C traceparent of the request. */
  readonly trace?: string;
}

export interface StoredMessage {
  readonly message: NewMessage;
  readonly id: number;
  readonly senderUsername: string;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
  /** The places in the event logs of the chat's users, in their order. */
  readonly offsets: readonly [number, number];
}

interface Waiting {
  readonly message: NewMessage;
  readonly resolve: (stored: StoredMessage | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** `undefined`: the client id was stored before. */
type Outcome = { readonly stored: StoredMessage | undefined } | { readonly error: unknown };

/** What the messages got, a column each, in their order. */
interface ResultRow {
  sent_at_ms: number;
  ids: number[];
  usernames: string[];
  offsets_low: number[];
  offsets_high: number[];
}

const maxBatch = 200;
const maxWaiting = 5000;
const maxAttempts = 4;

/**
 * Group commit: messages that arrive while a statement is in flight are stored together by the next one. Alone, a
 * message is stored at once.
 */
@Injectable()
export class MessageWriter {
  private readonly logger = new Logger(MessageWriter.name);
  private readonly waiting: Waiting[] = [];
  private inFlight = false;
  private scheduled = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly signals: MessageSignals,
  ) {}

  /**
   * Stores a message and what follows from it, tells the open sockets, and resolves; to `undefined` for a duplicate.
   * @throws ApplicationError `OVERLOADED` when too many wait already
   */
  async store(message: NewMessage): Promise<StoredMessage | undefined> {
    if (this.waiting.length >= maxWaiting) {
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
      this.schedule();
    });
  }

  /** Waits for the end of the event loop's turn, so that what came in one packet is one batch. */
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
   * for the logs that the first has locked. The next one is sent before the results of the last are told.
   */
  private async run(): Promise<void> {
    this.inFlight = true;
    let tellLast: (() => void) | undefined;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, maxBatch);
      const storing = this.storeBatch(batch.map(({ message }) => message));
      await turn();
      tellLast?.();
      const outcomes = await storing;
      tellLast = () => this.tell(batch, outcomes);
    }
    this.inFlight = false;
    tellLast?.();
  }

  /** What became of each message of a batch. Never rejects. */
  private async storeBatch(batch: readonly NewMessage[]): Promise<Outcome[]> {
    try {
      const stored = await this.insert(firstOfEach(batch));
      return batch.map((message) => ({ stored: stored.get(message) }));
    } catch (error) {
      try {
        return await this.storeDespite(error, batch);
      } catch (failure) {
        return batch.map(() => ({ error: failure }));
      }
    }
  }

  /** Stores what can be stored of a batch that failed as a whole. @throws when nothing can */
  private async storeDespite(error: unknown, batch: readonly NewMessage[]): Promise<Outcome[]> {
    if (isUniqueViolation(error, 'messages_client_id')) {
      const known = await this.storedBefore(batch);
      if (known.size > 0) {
        const rest = batch.filter((message) => !known.has(message));
        const outcomes = rest.length === 0 ? [] : await this.storeBatch(rest);
        const byMessage = new Map(rest.map((message, index) => [message, outcomes[index]]));
        return batch.map((message) => byMessage.get(message) ?? { stored: undefined });
      }
    }
    // What passes by itself, or holds up everyone, would only be met again.
    if (batch.length === 1 || classifyDatabaseError(error)) throw error;
    // One that the database refuses must not take the others with it.
    const outcomes: Outcome[] = [];
    for (const message of batch) outcomes.push(...(await this.storeBatch([message])));
    return outcomes;
  }

  private async storedBefore(batch: readonly NewMessage[]): Promise<Set<NewMessage>> {
    const withId = batch.filter(({ clientId }) => clientId !== undefined);
    const rows = await this.dataSource.query<{ nth: number }[]>(
      `SELECT sent.nth FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS sent (sender_id, client_id, nth)
       JOIN messages USING (sender_id, client_id)`,
      [withId.map(({ senderId }) => senderId), withId.map(({ clientId }) => clientId)],
    );
    return new Set(rows.map(({ nth }) => withId[nth - 1]!));
  }

  private tell(batch: readonly Waiting[], outcomes: readonly Outcome[]): void {
    try {
      this.signals.publish(
        outcomes.flatMap((outcome) =>
          'stored' in outcome && outcome.stored ? [outcome.stored] : [],
        ),
      );
    } catch (error) {
      // They are stored; nobody's answer may depend on what else is done about it.
      this.logger.error('Stored messages could not be told to the open sockets.', error);
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const outcome = outcomes[index]!;
      if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.stored);
    }
  }

  /** Runs the statement, again if PostgreSQL broke a deadlock at its cost. In the order of message ids. */
  private async insert(messages: readonly NewMessage[]): Promise<Map<NewMessage, StoredMessage>> {
    for (let attempt = 1; ; attempt++) {
      try {
        const rows = await preparedQuery<ResultRow>(this.dataSource, {
          name: 'store-messages',
          text: storeMessagesSql,
          values: parameters(messages),
        });
        return collect(messages, rows);
      } catch (error) {
        if (attempt === maxAttempts || !isSerializationFailure(error)) throw error;
      }
    }
  }
}

/** Leaves out messages whose client id came earlier in the batch. */
function firstOfEach(batch: readonly NewMessage[]): readonly NewMessage[] {
  const clientIds = batch.flatMap(({ clientId }) => clientId ?? []);
  // Nearly always so, and found without a key for each message.
  if (new Set(clientIds).size === clientIds.length) return batch;
  const seen = new Set<string>();
  return batch.filter(({ senderId, clientId }) => {
    if (clientId === undefined) return true;
    const key = `${senderId} ${clientId}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** What {@link storeMessagesSql} takes. */
function parameters(messages: readonly NewMessage[]): unknown[] {
  const counts = new Map<number, number>();
  const countFor = (userId: number): number => {
    const count = (counts.get(userId) ?? 0) + 1;
    counts.set(userId, count);
    return count;
  };
  const nths = messages.map(({ chat: { users } }) => users.map(countFor));
  return [
    integers(messages.map(({ chat }) => chat.id)),
    integers(messages.map(({ senderId }) => senderId)),
    messages.map(({ text }) => text),
    messages.map(({ clientId }) => clientId ?? null),
    integers(messages.map(({ chat }) => chat.users[0])),
    integers(messages.map(({ chat }) => chat.users[1])),
    integers(nths.map(([low]) => low)),
    integers(nths.map(([, high]) => high)),
    integers(counts.keys()),
    integers(counts.values()),
    messages.find(({ trace }) => trace !== undefined)?.trace ?? null,
  ];
}

/** An array as PostgreSQL reads it. pg would look for quotes to escape in each number. */
function integers(values: Iterable<number | undefined>): string {
  return `{${[...values].join()}}`;
}

function collect(
  messages: readonly NewMessage[],
  [row]: readonly ResultRow[],
): Map<NewMessage, StoredMessage> {
  if (row?.ids.length !== messages.length) throw new Error('Not all messages were answered.');
  const sentAt = new Date(row.sent_at_ms).toISOString();
  return new Map(
    messages.map((message, index) => [
      message,
      {
        message,
        id: row.ids[index]!,
        senderUsername: row.usernames[index]!,
        sentAt,
        offsets: [row.offsets_low[index]!, row.offsets_high[index]!],
      },
    ]),
  );
}

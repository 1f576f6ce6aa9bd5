import { setImmediate as turn } from 'node:timers/promises';
import { CodedError } from '@mentorhub/contracts';
import { isSerializationFailure, unavailable } from '@mentorhub/persistence';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { MessageSignals } from './message-signals.js';
import { storeMessagesSql } from './store-messages.sql.js';

/** A message to store, checked already: the sender takes part in the chat, the text may be stored. */
export interface NewMessage {
  readonly chatId: number;
  /** Everyone in the chat, the sender included. */
  readonly users: readonly number[];
  readonly senderId: number;
  readonly text: string;
  /** Stored once per sender; later ones are duplicates. */
  readonly clientId?: string;
  /** Names the post of a socket that the message came with. */
  readonly origin?: string;
  /** W3C traceparent of the request. */
  readonly trace?: string;
}

/** Where a message went: the place in the event log of someone in the chat. */
export interface Delivery {
  readonly userId: number;
  readonly offset: number;
}

export interface StoredMessage {
  readonly message: NewMessage;
  readonly id: number;
  readonly senderUsername: string;
  /** RFC 3339, UTC. */
  readonly sentAt: string;
  readonly deliveries: readonly Delivery[];
}

interface Waiting {
  readonly message: NewMessage;
  /** `undefined`: the client id was stored before. */
  readonly resolve: (stored: StoredMessage | undefined) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly stored: StoredMessage | undefined } | { readonly error: unknown };

/** The columns of what was stored: an element per message and user of its chat. */
interface ResultRow {
  sent_at_ms: number;
  ordinals: number[];
  ids: number[];
  usernames: string[];
  user_ids: number[];
  offsets: number[];
}

/** What pg can do and TypeORM cannot: a prepared statement. Planning this one costs more than running it. */
interface PgClient {
  query(statement: {
    name: string;
    text: string;
    values: unknown[];
  }): Promise<{ rows: ResultRow[] }>;
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
   * @throws CodedError `OVERLOADED` when too many wait already
   */
  async store(message: NewMessage): Promise<StoredMessage | undefined> {
    if (this.waiting.length >= maxWaiting) {
      throw new CodedError('OVERLOADED', 'Too many messages at once. Try again in a moment.', {
        retryAfterSeconds: 1,
      });
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject });
      this.schedule();
    });
  }

  /** Waits for the end of the event loop's turn, so that what came in one packet is one batch. */
  private schedule(): void {
    if (this.scheduled || this.inFlight || this.waiting.length === 0) return;
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
    if (this.inFlight) return;
    this.inFlight = true;
    let told = (): void => undefined;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, maxBatch);
      const storing = this.storeBatch(batch);
      await turn();
      told();
      const outcomes = await storing;
      told = () => this.tell(batch, outcomes);
    }
    this.inFlight = false;
    told();
  }

  /** What became of each message of a batch. Never rejects. */
  private async storeBatch(batch: readonly Waiting[]): Promise<Outcome[]> {
    try {
      const stored = await this.insert(batch.map(({ message }) => message));
      return batch.map((_, index) => ({ stored: stored.get(index + 1) }));
    } catch (error) {
      if (batch.length === 1 || unavailable(error) || isSerializationFailure(error)) {
        return batch.map(() => ({ error }));
      }
      // One that the database refuses must not take the others with it.
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(...(await this.storeBatch([one])));
      return outcomes;
    }
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

  /** Runs the statement, again if PostgreSQL broke a deadlock at its cost. By ordinal, in the order of message ids. */
  private async insert(messages: readonly NewMessage[]): Promise<Map<number, StoredMessage>> {
    for (let attempt = 1; ; attempt++) {
      const runner = this.dataSource.createQueryRunner();
      try {
        const client = (await runner.connect()) as PgClient;
        const { rows } = await client.query({
          name: 'store-messages',
          text: storeMessagesSql,
          values: parameters(messages),
        });
        return collect(messages, rows);
      } catch (error) {
        if (attempt === maxAttempts || !isSerializationFailure(error)) throw error;
      } finally {
        await runner.release();
      }
    }
  }
}

/** What {@link storeMessagesSql} takes. */
function parameters(messages: readonly NewMessage[]): unknown[] {
  const places = messages.flatMap(({ users }, index) =>
    users.map((userId) => ({ ordinal: index + 1, userId })),
  );
  return [
    messages.map(({ chatId }) => chatId),
    messages.map(({ senderId }) => senderId),
    messages.map(({ text }) => text),
    messages.map(({ clientId }) => clientId ?? null),
    messages.map(({ users, senderId }) =>
      JSON.stringify(users.filter((userId) => userId !== senderId)),
    ),
    places.map(({ ordinal }) => ordinal),
    places.map(({ userId }) => userId),
    messages.find(({ trace }) => trace !== undefined)?.trace ?? null,
  ];
}

function collect(
  messages: readonly NewMessage[],
  [row]: readonly ResultRow[],
): Map<number, StoredMessage> {
  const byOrdinal = new Map<number, StoredMessage & { deliveries: Delivery[] }>();
  if (!row) return byOrdinal;
  const sentAt = new Date(row.sent_at_ms).toISOString();
  for (const [index, ordinal] of row.ordinals.entries()) {
    const delivery = { userId: row.user_ids[index]!, offset: row.offsets[index]! };
    const known = byOrdinal.get(ordinal);
    if (known) {
      known.deliveries.push(delivery);
    } else {
      byOrdinal.set(ordinal, {
        message: messages[ordinal - 1]!,
        id: row.ids[index]!,
        senderUsername: row.usernames[index]!,
        sentAt,
        deliveries: [delivery],
      });
    }
  }
  return byOrdinal;
}

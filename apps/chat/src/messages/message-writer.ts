import { CodedError } from '@mentorhub/contracts';
import { isSerializationFailure, unavailable } from '@mentorhub/persistence';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { storeMessagesSql } from './store-messages.sql.js';

/** A message to store, checked already: the sender takes part in the chat, the text may be stored. */
export interface NewMessage {
  readonly chatId: number;
  readonly senderId: number;
  readonly text: string;
  /** Stored once per sender; later ones are duplicates. */
  readonly clientId?: string;
  /** W3C traceparent of the request. */
  readonly trace?: string;
}

/** Where a message went: the place in each participant's event log. */
export interface Delivery {
  readonly userId: number;
  readonly offset: number;
}

export interface StoredMessage {
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
  readonly onCommit: (stored: StoredMessage) => void;
}

interface ResultRow {
  ordinal: number;
  id: number;
  username: string;
  sent_at_ms: number;
  user_id: number;
  offset: number;
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
/** A second statement only helps when much waits; small batches cost more per message than they save. */
const secondFlightFrom = 50;
const maxAttempts = 4;

/**
 * Group commit: messages that arrive while a statement is in flight are stored together by the next one. Alone, a
 * message is stored at once.
 */
@Injectable()
export class MessageWriter {
  private readonly logger = new Logger(MessageWriter.name);
  private readonly waiting: Waiting[] = [];
  private inFlight = 0;
  private scheduled = false;

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Stores a message and what follows from it; resolves after the commit, to `undefined` for a duplicate.
   * @throws CodedError `OVERLOADED` when too many wait already
   * @param onCommit called after the commit and before anyone's promise resolves, in the order of message ids
   */
  async store(
    message: NewMessage,
    onCommit: (stored: StoredMessage) => void,
  ): Promise<StoredMessage | undefined> {
    if (this.waiting.length >= maxWaiting) {
      throw new CodedError('OVERLOADED', 'Too many messages at once. Try again in a moment.', {
        retryAfterSeconds: 1,
      });
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject, onCommit });
      this.schedule();
    });
  }

  /** Waits for the end of the event loop's turn, so that what came in one packet is one batch. */
  private schedule(): void {
    if (this.scheduled || !this.mayStart()) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      while (this.mayStart()) void this.flush(this.waiting.splice(0, maxBatch));
    });
  }

  private mayStart(): boolean {
    const { length } = this.waiting;
    return (
      length > 0 && (this.inFlight === 0 || (this.inFlight === 1 && length >= secondFlightFrom))
    );
  }

  private async flush(batch: Waiting[]): Promise<void> {
    this.inFlight++;
    try {
      await this.storeBatch(batch);
    } finally {
      this.inFlight--;
      this.schedule();
    }
  }

  private async storeBatch(batch: Waiting[]): Promise<void> {
    let stored: Map<number, StoredMessage>;
    try {
      stored = await this.insert(batch.map(({ message }) => message));
    } catch (error) {
      if (batch.length === 1 || unavailable(error) || isSerializationFailure(error)) {
        for (const { reject } of batch) reject(error);
      } else {
        // One that the database refuses must not take the others with it.
        for (const one of batch) await this.storeBatch([one]);
      }
      return;
    }
    for (const [ordinal, message] of stored) {
      try {
        batch[ordinal - 1]?.onCommit(message);
      } catch (error) {
        // It is stored; nobody's answer may depend on what else is done about it.
        this.logger.error('What follows a stored message failed.', error);
      }
    }
    for (const [index, { resolve }] of batch.entries()) resolve(stored.get(index + 1));
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
          values: [
            messages.map(({ chatId }) => chatId),
            messages.map(({ senderId }) => senderId),
            messages.map(({ text }) => text),
            messages.map(({ clientId }) => clientId ?? null),
            messages.map(({ trace }) => trace ?? null),
          ],
        });
        return collect(rows);
      } catch (error) {
        if (attempt === maxAttempts || !isSerializationFailure(error)) throw error;
      } finally {
        await runner.release();
      }
    }
  }
}

function collect(rows: readonly ResultRow[]): Map<number, StoredMessage> {
  const byOrdinal = new Map<number, StoredMessage & { deliveries: Delivery[] }>();
  for (const row of rows) {
    const delivery = { userId: row.user_id, offset: row.offset };
    const known = byOrdinal.get(row.ordinal);
    if (known) {
      known.deliveries.push(delivery);
    } else {
      byOrdinal.set(row.ordinal, {
        id: row.id,
        senderUsername: row.username,
        sentAt: new Date(row.sent_at_ms).toISOString(),
        deliveries: [delivery],
      });
    }
  }
  return byOrdinal;
}

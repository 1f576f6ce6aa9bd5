import { isSerializationFailure, preparedQuery } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { storeMessagesSql } from './store-messages.sql.js';
import type { NewMessage, StoredMessage } from './stored-message.js';

/** What the messages got, a column each, in their order; or, when nothing was stored, which logs were free. */
interface ResultRow {
  sent_at_ms: number;
  ids: number[] | null;
  usernames: string[];
  offsets_low: number[];
  offsets_high: number[];
  free_logs: number[] | null;
}

const maxAttempts = 4;

/** The statements that store messages. */
@Injectable()
export class MessageStore {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Stores messages, all of them or none but those whose logs are free: never waits for a log that someone else has
   * locked. What is missing in the answer may be tried again.
   * @throws the unique violation of `messages_client_id` when one of them was stored before; then none is stored
   */
  async insert(messages: readonly NewMessage[]): Promise<Map<NewMessage, StoredMessage>> {
    let rest = messages;
    // Another log can be locked by the time the others are tried alone, hence the loop; each turn has fewer messages.
    while (rest.length > 0) {
      const row = await this.tryInsert(rest);
      if (row.ids) return collect(rest, row, row.ids);
      const free = new Set(row.free_logs);
      rest = rest.filter(({ chat: { users } }) => users.every((userId) => free.has(userId)));
    }
    return new Map();
  }

  /** Those of the messages whose client ids were stored before. */
  async storedBefore(messages: readonly NewMessage[]): Promise<Set<NewMessage>> {
    const withId = messages.filter(({ clientId }) => clientId !== undefined);
    const rows = await this.dataSource.query<{ nth: number }[]>(
      `SELECT sent.nth FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS sent (sender_id, client_id, nth)
       JOIN messages USING (sender_id, client_id)`,
      [withId.map(({ senderId }) => senderId), withId.map(({ clientId }) => clientId)],
    );
    return new Set(rows.map(({ nth }) => withId[nth - 1]!));
  }

  /** Runs the statement, again if PostgreSQL broke a deadlock at its cost. In the order of message ids. */
  private async tryInsert(messages: readonly NewMessage[]): Promise<ResultRow> {
    for (let attempt = 1; ; attempt++) {
      try {
        const [row] = await preparedQuery<ResultRow>(this.dataSource, {
          name: 'store-messages',
          text: storeMessagesSql,
          values: parameters(messages),
        });
        if (!row) throw new Error('The database did not answer for the messages.');
        return row;
      } catch (error) {
        if (attempt === maxAttempts || !isSerializationFailure(error)) throw error;
      }
    }
  }
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
  row: ResultRow,
  ids: readonly number[],
): Map<NewMessage, StoredMessage> {
  if (ids.length !== messages.length) throw new Error('Not all messages were answered.');
  const sentAt = new Date(row.sent_at_ms).toISOString();
  return new Map(
    messages.map((message, index) => [
      message,
      {
        message,
        id: ids[index]!,
        senderUsername: row.usernames[index]!,
        sentAt,
        offsets: [row.offsets_low[index]!, row.offsets_high[index]!],
      },
    ]),
  );
}

import {
  type DurableFrame,
  type LogPosition,
  type LogSlice,
  type NotificationFrame,
  type ReadFrame,
  userFrame,
} from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { visibleClientId } from '../messages/client-id.js';

/** Something for a user's log that is no message; those have their places with them. */
export type NewEntry = { readonly userId: number } & (
  | { readonly kind: 'read'; readonly payload: Omit<ReadFrame, 'type' | 'offset'> }
  | { readonly kind: 'notification'; readonly payload: Omit<NotificationFrame, 'type' | 'offset'> }
);

/** An entry with its place. */
export interface LoggedEntry {
  readonly userId: number;
  readonly frame: ReadFrame | NotificationFrame;
}

interface EntryRow {
  offset: number;
  kind: 'message' | 'read' | 'notification';
  payload: object | null;
  id: number;
  chat_id: number;
  sender_id: number;
  username: string | null;
  text: string;
  client_id: string | null;
  sent_at: Date;
}

interface LogRow {
  epoch: string;
  last_offset: number;
  trimmed_to: number;
}

/**
 * What follows an offset in a user's log: entries, and messages of each of the user's chats. In a chat the offsets grow
 * with the ids, so the messages that follow are found from the newest one backwards, whatever is older is not looked at.
 */
const readSql = `
  SELECT logged.*, people.username FROM (
    (
      SELECT "offset", kind, payload,
        NULL::bigint AS id, NULL::int AS chat_id, NULL::int AS sender_id, NULL AS text, NULL AS client_id,
        NULL::timestamptz AS sent_at
      FROM log_entries WHERE user_id = $1 AND "offset" > $2
      ORDER BY "offset" LIMIT $3
    )
    UNION ALL
    SELECT following.*
    FROM participants
    JOIN chats ON chats.id = participants.chat_id
    CROSS JOIN LATERAL (
      SELECT max(id) AS id FROM (
        SELECT id FROM messages
        WHERE chat_id = chats.id AND CASE WHEN chats.user_low = $1 THEN offset_low ELSE offset_high END <= $2
        ORDER BY id DESC LIMIT 1
      ) AS seen
    ) AS last_seen
    CROSS JOIN LATERAL (
      SELECT CASE WHEN chats.user_low = $1 THEN offset_low ELSE offset_high END AS "offset",
        'message', NULL::jsonb, id, chat_id, sender_id, text, client_id, sent_at
      FROM messages
      WHERE chat_id = chats.id AND id > coalesce(last_seen.id, 0)
      ORDER BY id LIMIT $3
    ) AS following
    WHERE participants.user_id = $1
  ) AS logged
  LEFT JOIN people ON people.user_id = logged.sender_id
  ORDER BY logged."offset"
  LIMIT $3`;

const defaultLimit = 200;
const maxLimit = 500;

/** Each user's log of durable events, with consecutive offsets: the memory behind the open sockets. */
@Injectable()
export class EventLog {
  constructor(
    private readonly dataSource: DataSource,
    private readonly signals: Signals,
  ) {}

  /** Where a user's log ends. Starts the log of a new user. */
  async head(userId: number): Promise<LogPosition> {
    const { epoch, last_offset: offset } = await this.find(userId);
    return { epoch, offset };
  }

  /**
   * What follows a position, in order. `recovered: false` with the end of the log when it does not reach back to the
   * position, or the position is not of this log.
   */
  async read(userId: number, from: LogPosition & { limit?: number }): Promise<LogSlice> {
    // A log that was trimmed between the two statements of a look is seen as it is by the next one.
    const slice = (await this.look(userId, from)) ?? (await this.look(userId, from));
    if (!slice) throw new Error(`The event log of user ${userId} has a hole after ${from.offset}.`);
    return slice;
  }

  /** As {@link read}; `undefined` when entries are missing. */
  private async look(
    userId: number,
    { epoch, offset, limit = defaultLimit }: LogPosition & { limit?: number },
  ): Promise<LogSlice | undefined> {
    const log = await this.find(userId);
    if (epoch !== log.epoch || offset < log.trimmed_to || offset > log.last_offset) {
      return {
        epoch: log.epoch,
        offset: log.last_offset,
        recovered: false,
        frames: [],
        has_more: false,
      };
    }
    const take = Math.min(Math.max(limit, 1), maxLimit);
    const rows = await this.dataSource.query<EntryRow[]>(readSql, [userId, offset, take + 1]);
    const expected = Math.min(take + 1, log.last_offset - offset);
    const last = rows.at(-1)?.offset ?? offset;
    if (rows.length < expected || last !== offset + rows.length) return undefined;
    const frames = rows.slice(0, take).map((row) => toFrame(row, userId));
    return {
      epoch,
      offset: frames.at(-1)?.offset ?? offset,
      recovered: true,
      frames,
      has_more: rows.length > take,
    };
  }

  /** Where the logs of many users end, by user id. Users without a log are left out. */
  async heads(userIds: readonly number[]): Promise<Record<string, number>> {
    const rows = await this.dataSource.query<{ user_id: number; last_offset: number }[]>(
      'SELECT user_id, last_offset FROM user_logs WHERE user_id = ANY ($1::int[])',
      [userIds],
    );
    return Object.fromEntries(rows.map((row) => [row.user_id, row.last_offset]));
  }

  /**
   * Locks logs until the end of the transaction, starting those that are missing. Always in the order of user ids, so
   * that no two transactions wait for each other.
   */
  async lock(tx: EntityManager, userIds: readonly number[]): Promise<void> {
    await tx.query(
      `INSERT INTO user_logs (user_id)
       SELECT DISTINCT user_id FROM unnest($1::int[]) AS users (user_id) ORDER BY user_id
       ON CONFLICT DO NOTHING`,
      [userIds],
    );
    await tx.query(
      'SELECT FROM user_logs WHERE user_id = ANY ($1::int[]) ORDER BY user_id FOR UPDATE',
      [userIds],
    );
  }

  /** Appends entries, in their order, to logs that the transaction has locked. */
  async append(tx: EntityManager, entries: readonly NewEntry[]): Promise<LoggedEntry[]> {
    if (entries.length === 0) return [];
    const rows = await tx.query<{ ordinal: number; offset: number }[]>(
      `WITH input AS MATERIALIZED (
         SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY ordinal) AS nth
         FROM unnest($1::int[], $2::text[], $3::text[])
           WITH ORDINALITY AS input (user_id, kind, payload, ordinal)
       ), bumped AS (
         UPDATE user_logs SET last_offset = last_offset + counts.entries
         FROM (SELECT user_id, count(*) AS entries FROM input GROUP BY user_id) AS counts
         WHERE user_logs.user_id = counts.user_id
         RETURNING user_logs.user_id, user_logs.last_offset - counts.entries AS offset_before
       ), placed AS MATERIALIZED (
         SELECT input.*, offset_before + nth AS "offset" FROM input JOIN bumped USING (user_id)
       ), logged AS (
         INSERT INTO log_entries (user_id, "offset", kind, payload)
         SELECT user_id, "offset", kind, payload::jsonb FROM placed
       )
       SELECT ordinal, "offset" FROM placed`,
      [
        entries.map(({ userId }) => userId),
        entries.map(({ kind }) => kind),
        entries.map(({ payload }) => JSON.stringify(payload)),
      ],
    );
    const offsets = new Map(rows.map(({ ordinal, offset }) => [ordinal, offset]));
    return entries.map(({ userId, kind, payload }, index) => ({
      userId,
      frame: { type: kind, ...payload, offset: offsets.get(index + 1) } as LoggedEntry['frame'],
    }));
  }

  /** Tells the open sockets; after the commit. What gets lost here, they find in the log. */
  signal(entries: readonly LoggedEntry[]): void {
    for (const { userId, frame } of entries) this.signals.publish(userFrame, { frame }, userId);
  }

  private async find(userId: number): Promise<LogRow> {
    const select = 'SELECT epoch, last_offset, trimmed_to FROM user_logs WHERE user_id = $1';
    const [known] = await this.dataSource.query<LogRow[]>(select, [userId]);
    if (known) return known;
    await this.dataSource.query(
      'INSERT INTO user_logs (user_id) VALUES ($1) ON CONFLICT DO NOTHING',
      [userId],
    );
    const [created] = await this.dataSource.query<LogRow[]>(select, [userId]);
    if (!created) throw new Error('The event log was not created.');
    return created;
  }
}

function toFrame(row: EntryRow, userId: number): DurableFrame {
  if (row.kind !== 'message') {
    return { type: row.kind, ...row.payload, offset: row.offset } as DurableFrame;
  }
  return {
    type: 'message',
    id: row.id,
    chat_id: row.chat_id,
    sender_id: row.sender_id,
    sender_username: row.username ?? '',
    content: row.text,
    timestamp: row.sent_at.toISOString(),
    client_id: row.sender_id === userId ? visibleClientId(row.client_id) : undefined,
    offset: row.offset,
  };
}

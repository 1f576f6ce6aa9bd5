import {
  type DurableFrame,
  type LogPosition,
  type LogSlice,
  type NotificationFrame,
  type ReadLog,
  type ReadFrame,
  userFrame,
} from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
import { CONFIG, Limiter } from '@mentorhub/service-kit';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ChatConfig } from '../config.js';
import { visibleClientId } from '../messages/client-id.js';
import { fitting, maxPageBytes } from '../pages/page-bytes.js';
import { lastMessageSql, readLogSql } from './read-log.sql.js';

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
  /** How many rows follow the position, up to the limit; those over the budget in bytes are not read. */
  page_rows: number;
}

interface LogRow {
  epoch: string;
  last_offset: number;
  trimmed_to: number;
}

const defaultLimit = 200;
const maxLimit = 500;

/** Each user's log of durable events, with consecutive offsets: the memory behind the open sockets. */
@Injectable()
export class EventLog {
  private readonly logger = new Logger(EventLog.name);
  /** Fewer than there are connections to the database, so that resuming devices keep no message waiting. */
  private readonly reads: Limiter<number>;

  constructor(
    private readonly dataSource: DataSource,
    private readonly signals: Signals,
    @Inject(CONFIG) { DATABASE_POOL_SIZE: poolSize }: ChatConfig,
  ) {
    this.reads = new Limiter({ total: Math.ceil(poolSize / 4), perKey: 2 });
  }

  /** Where a user's log ends. Starts the log of a new user. */
  async head(userId: number): Promise<LogPosition> {
    const { epoch, last_offset: offset } = await this.find(userId);
    return { epoch, offset };
  }

  /**
   * What follows a position, in order. `recovered: false` with the end of the log when it does not reach back to the
   * position, the position is not of this log, or entries are missing.
   */
  read(userId: number, from: ReadLog): Promise<LogSlice> {
    return this.reads.run(userId, () => this.readNow(userId, from));
  }

  private async readNow(userId: number, from: ReadLog): Promise<LogSlice> {
    // A log that was trimmed between the statements of a look is seen as it is by the next one.
    const slice = (await this.look(userId, from)) ?? (await this.look(userId, from));
    if (slice) return slice;
    // Every read from here would end at the hole, and entries after it would never be delivered.
    this.logger.error(
      `The event log of user ${userId} has a hole after ${from.offset}: its reader goes on from the end of the log.`,
    );
    return lost(await this.find(userId));
  }

  /** As {@link read}; `undefined` when entries are missing. */
  private async look(
    userId: number,
    {
      epoch,
      offset,
      after_message_id: known,
      limit = defaultLimit,
      max_bytes: maxBytes = maxPageBytes,
    }: ReadLog,
  ): Promise<LogSlice | undefined> {
    const log = await this.find(userId);
    if (epoch !== log.epoch || offset < log.trimmed_to || offset > log.last_offset) {
      return lost(log);
    }
    const end = Math.min(offset + Math.min(Math.max(limit, 1), maxLimit), log.last_offset);
    const afterMessage = known ?? (await this.lastMessage(userId, offset));
    const budget = Math.min(Math.max(maxBytes, 1), maxPageBytes);
    const rows = await this.dataSource.query<EntryRow[]>(readLogSql, [
      userId,
      offset,
      end,
      afterMessage,
      budget,
    ]);
    const complete = (rows[0]?.page_rows ?? 0) === end - offset;
    if (!complete || (rows.at(-1)?.offset ?? offset) !== offset + rows.length) return undefined;
    const frames = fitting(
      rows.map((row) => toFrame(row, userId)),
      budget,
    );
    const reached = frames.at(-1)?.offset ?? offset;
    return {
      epoch,
      offset: reached,
      after_message_id: frames.findLast((frame) => frame.type === 'message')?.id ?? afterMessage,
      recovered: true,
      frames,
      has_more: reached < log.last_offset,
    };
  }

  private async lastMessage(userId: number, offset: number): Promise<number> {
    const [last] = await this.dataSource.query<{ id: number }[]>(lastMessageSql, [userId, offset]);
    return last?.id ?? 0;
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
   * Appends entries to logs, in their order, starting logs that are missing; at the end of a transaction, which keeps the
   * logs locked.
   */
  async append(tx: EntityManager, entries: readonly NewEntry[]): Promise<LoggedEntry[]> {
    if (entries.length === 0) return [];
    await tx.query(
      `INSERT INTO user_logs (user_id)
       SELECT DISTINCT user_id FROM unnest($1::int[]) AS users (user_id) ORDER BY user_id
       ON CONFLICT DO NOTHING`,
      [entries.map(({ userId }) => userId)],
    );
    // Locked in the order of user ids, as everywhere, so that no two transactions wait for each other.
    const rows = await tx.query<{ ordinal: number; offset: number }[]>(
      `WITH input AS MATERIALIZED (
         SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY ordinal) AS nth
         FROM unnest($1::int[], $2::text[], $3::text[])
           WITH ORDINALITY AS input (user_id, kind, payload, ordinal)
       ), logs AS MATERIALIZED (
         SELECT user_id, last_offset FROM user_logs
         WHERE user_id = ANY ($1::int[])
         ORDER BY user_id FOR UPDATE
       ), bumped AS (
         UPDATE user_logs SET last_offset = logs.last_offset + counts.entries
         FROM logs JOIN (SELECT user_id, count(*) AS entries FROM input GROUP BY user_id) AS counts USING (user_id)
         WHERE user_logs.user_id = logs.user_id
       ), placed AS MATERIALIZED (
         SELECT input.*, last_offset + nth AS "offset" FROM input JOIN logs USING (user_id)
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

  /** Publishes entries to the open sockets; after the commit. What gets lost here, they find in the log. */
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

/** The answer to a reader that cannot go on from where it is. */
function lost({ epoch, last_offset: offset }: LogRow): LogSlice {
  return { epoch, offset, recovered: false, frames: [], has_more: false };
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

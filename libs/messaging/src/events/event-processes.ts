import { createHash, randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { EventHandlers } from './event-handlers.js';

const SEEN_EVERY_MS = 5000;
/** Of a process that was not seen for so long nothing is expected any more. */
const GONE_AFTER = `interval '20 seconds'`;

/*
 * `since` is when the handlers of this process came into use: processes with the same ones share it. A process that joins
 * with new ones, or that was away, ends the term of the leader in the same transaction: from then on the leader can commit
 * nothing without looking who it is that leads.
 */
const joinSql = `
  WITH before AS (
    SELECT seen_at FROM event_processes WHERE id = $1
  ), kin AS (
    SELECT min(since) AS since FROM event_processes
    WHERE digest = $2 AND seen_at > now() - ${GONE_AFTER}
  ), joined AS (
    INSERT INTO event_processes (id, digest, handlers, since)
    SELECT $1, $2, $3, coalesce(kin.since, now()) FROM kin
    ON CONFLICT (id) DO UPDATE SET seen_at = now()
    RETURNING since
  )
  UPDATE event_leadership SET term = term + 1
  WHERE (SELECT since FROM joined) = now()
    OR (SELECT seen_at FROM before) <= now() - ${GONE_AFTER}`;

const mayLeadSql = `
  SELECT NOT EXISTS (
    SELECT FROM event_processes AS own JOIN event_processes AS other ON other.since > own.since
    WHERE own.id = $1 AND other.digest <> own.digest AND other.seen_at > now() - ${GONE_AFTER}
  ) AS may`;

/**
 * The processes of a service and which handlers each has. While versions run side by side, only a process of the newest
 * one may lead: an older one would acknowledge events that only the newer handles.
 */
@Injectable()
export class EventProcesses {
  private readonly logger = new Logger(EventProcesses.name);
  private readonly id = randomUUID();
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly dataSource: DataSource,
    private readonly handlers: EventHandlers,
  ) {}

  /** Makes the handlers of this process known, from now on until `leave`. */
  async join(): Promise<void> {
    await this.say();
    this.timer ??= setInterval(() => void this.sayQuietly(), SEEN_EVERY_MS);
    this.timer.unref();
  }

  /** Whether no other process has newer handlers. */
  async mayLead(): Promise<boolean> {
    const [row]: { may: boolean }[] = await this.dataSource.query(mayLeadSql, [this.id]);
    return row?.may === true;
  }

  /** Lets others lead at once. */
  async leave(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.dataSource.query(
      `DELETE FROM event_processes WHERE id = $1 OR seen_at < now() - interval '1 day'`,
      [this.id],
    );
  }

  private async say(): Promise<void> {
    const handlers = this.handlers.describe();
    const digest = createHash('sha256').update(handlers.join('\n')).digest('hex');
    await this.dataSource.query(joinSql, [this.id, digest, handlers]);
  }

  private async sayQuietly(): Promise<void> {
    try {
      await this.say();
    } catch (error) {
      this.logger.debug(`not seen this time: ${String(error)}`);
    }
  }
}

import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Periodic } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { DataSource } from 'typeorm';
import type { ChatConfig } from '../config.js';

const sweepMs = 60_000;
const usersPerSweep = 200;
const entriesPerStatement = 1000;
const dayMs = 86_400_000;

/**
 * Lets event logs begin later, a little at a time: after the entries older than `EVENT_LOG_DAYS`, which are dropped, and
 * with the newest `EVENT_LOG_ENTRIES` events. A device that was away for longer gets `recovered: false` and fetches over REST. Messages
 * stay, in their chats. Replicas may do it side by side.
 */
@Injectable()
export class LogTrimmer implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic = new Periodic({
    name: LogTrimmer.name,
    everyMs: sweepMs,
    turn: (stopping) => this.sweep(stopping),
    failure: 'Event logs could not be trimmed',
  });
  /** The user the last sweep ended at; the next one goes on from there. */
  private lastUserId = 0;

  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: ChatConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Trims the logs of the next users; after the last one it starts over. */
  async sweep(stopping: AbortSignal = new AbortController().signal): Promise<void> {
    const users = await this.dataSource.query<{ user_id: number }[]>(
      `SELECT user_id FROM user_logs WHERE user_id > $1 ORDER BY user_id LIMIT ${usersPerSweep}`,
      [this.lastUserId],
    );
    for (const { user_id: userId } of users) {
      while (!stopping.aborted && (await this.trim(userId)) === entriesPerStatement);
    }
    this.lastUserId = users.length < usersPerSweep ? 0 : (users.at(-1)?.user_id ?? 0);
  }

  /** One statement, one log locked: it stands in nobody's way for long. Resolves to how many entries it dropped. */
  private async trim(userId: number): Promise<number> {
    const [row] = await this.dataSource.query<{ dropped: number }[]>(
      `WITH log AS (
         SELECT user_id, last_offset, trimmed_to FROM user_logs WHERE user_id = $1 FOR UPDATE
       ), oldest AS MATERIALIZED (
         SELECT "offset", logged_at FROM log_entries
         WHERE user_id = $1 ORDER BY "offset" LIMIT ${entriesPerStatement}
       ), too_old AS MATERIALIZED (
         SELECT oldest."offset" FROM oldest, log
         WHERE oldest.logged_at < $2 OR oldest."offset" <= log.last_offset - $3
       ), dropped AS (
         DELETE FROM log_entries
         WHERE user_id = $1 AND "offset" <= (SELECT max("offset") FROM too_old)
       ), moved AS (
         UPDATE user_logs SET trimmed_to = later.trimmed_to
         FROM (
           SELECT greatest((SELECT max("offset") FROM too_old), last_offset - $3) AS trimmed_to FROM log
         ) AS later
         WHERE user_id = $1 AND later.trimmed_to > user_logs.trimmed_to
       )
       SELECT count(*) AS dropped FROM too_old`,
      [
        userId,
        new Date(this.clock.now().getTime() - this.config.EVENT_LOG_DAYS * dayMs),
        this.config.EVENT_LOG_ENTRIES,
      ],
    );
    return row?.dropped ?? 0;
  }
}

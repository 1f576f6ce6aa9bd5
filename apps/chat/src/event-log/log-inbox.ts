import { Periodic, Transactions } from '@mentorhub/persistence';
import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import {
  DataSource,
  type EntityManager,
  type EntitySubscriberInterface,
  type TransactionCommitEvent,
} from 'typeorm';
import { EventLog, type NewEntry } from './event-log.js';

/** A net below the wake-up after each commit, for a process that died right after one. */
const sweepMs = 1000;
const batchSize = 500;
const wakeMark = 'logInboxWaits';

interface Row {
  id: number;
  user_id: number;
  kind: NewEntry['kind'];
  payload: NewEntry['payload'];
}

/**
 * Entries on their way into event logs. An event handler runs inside a transaction of many events: if it locked logs
 * there, it would hold them long and in no order, and it could not signal the sockets after the commit, which is not its
 * own. So it leaves the entry here, and the entry moves to its log, in an order that cannot deadlock, right after.
 */
@Injectable()
export class LogInbox
  implements EntitySubscriberInterface, OnApplicationBootstrap, BeforeApplicationShutdown
{
  private readonly logger = new Logger(LogInbox.name);
  private readonly periodic = new Periodic({
    name: LogInbox.name,
    everyMs: sweepMs,
    turn: async (stopping) => {
      while (!stopping.aborted && (await this.moveBatch()) === batchSize);
    },
    failure: 'Entries could not be moved to the event logs',
  });

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly eventLog: EventLog,
  ) {}

  /** Adds an entry, which reaches the log if the transaction commits; none for a user who was erased. */
  async add(tx: EntityManager, { userId, kind, payload }: NewEntry): Promise<void> {
    await tx.query(
      `INSERT INTO log_inbox (user_id, kind, payload) SELECT $1, $2, $3
       WHERE NOT EXISTS (SELECT FROM people WHERE user_id = $1 AND erased)`,
      [userId, kind, JSON.stringify(payload)],
    );
    if (tx.queryRunner) tx.queryRunner.data[wakeMark] = true;
  }

  /** TypeORM calls this after every transaction. */
  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    if (!queryRunner.data[wakeMark] || queryRunner.isTransactionActive) return;
    queryRunner.data[wakeMark] = false;
    this.periodic.wake();
  }

  onApplicationBootstrap(): void {
    this.dataSource.subscribers.push(this);
    this.periodic.start();
  }

  /** After the last events are handled: what they add need not wait for the next start. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.periodic.stop();
    try {
      while ((await this.moveBatch()) === batchSize);
    } catch (error) {
      // They wait for another replica, or for the next start.
      this.logger.warn(`The last entries were not moved to the event logs: ${String(error)}`);
    }
  }

  /** Moves the oldest entries; resolves to how many. */
  private async moveBatch(): Promise<number> {
    const [waiting] = await this.dataSource.query<{ exists: boolean }[]>(
      'SELECT EXISTS (SELECT FROM log_inbox) AS exists',
    );
    if (!waiting?.exists) return 0;
    const logged = await this.transactions.run(async (tx) => {
      // One replica at a time, so that what was added first is logged first.
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('mentorhub:log-inbox', 0))`);
      const [rows] = await tx.query<[Row[], number]>(
        `DELETE FROM log_inbox WHERE id IN (SELECT id FROM log_inbox ORDER BY id LIMIT ${batchSize})
         RETURNING id, user_id, kind, payload`,
      );
      rows.sort((one, other) => one.id - other.id);
      return this.eventLog.append(
        tx,
        rows.map(({ user_id: userId, kind, payload }) => ({ userId, kind, payload }) as NewEntry),
      );
    });
    this.eventLog.signal(logged);
    return logged.length;
  }
}

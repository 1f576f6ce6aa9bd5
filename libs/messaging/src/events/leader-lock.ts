import { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { Client, type ClientConfig } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';

/** Key of the advisory lock; locks are per database, and each service has its own. */
const LOCK_KEY = 7_166_838_001;
const CONNECT_TIMEOUT_MS = 5000;
/** A leader checks its connection this often. */
const HEARTBEAT_MS = 1000;
/**
 * With the heartbeat, a leader knows after 4 s that PostgreSQL is silent; PostgreSQL takes 11 s to give the lock of a
 * silent leader to another process.
 */
const SILENCE_LIMIT_MS = 3000;

const unpublished = {
  name: 'unpublished',
  text: 'SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND parked_at IS NULL) AS waiting',
};

/** This process's place in the order of leaders; see `event_leadership`. */
export type Term = string;

/** Another process relays and handles the events of this service now. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError';

  constructor() {
    super('another process has become the leader');
  }
}

/** A connection that can hold the service's lock: while it does, no other process has the lock. */
export interface LeaderConnection {
  /** Asks for the lock; once this process has it, the connection is checked every second. */
  tryAcquire(): Promise<boolean>;
  /**
   * Begins a term, which ends all earlier ones. Waits for a transaction of the former leader that is about to commit.
   */
  beginTerm(): Promise<Term>;
  /**
   * Whether the outbox has events to publish. Asked many times a second, so it is prepared, and goes over the connection
   * that this process keeps anyway.
   */
  hasUnpublished(): Promise<boolean>;
  /** Releases the lock. */
  end(): Promise<void>;
}

/**
 * Elects the process of a service that relays and handles its events. The lock belongs to a session of
 * PostgreSQL, so its connection bypasses a pooler.
 */
@Injectable()
export class LeaderLock {
  constructor(
    private readonly dataSource: DataSource,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly messaging: ServiceMessagingOptions,
  ) {}

  /**
   * Opens the dedicated connection, without the lock.
   * @param onLost the connection is gone or silent, and the lock with it
   * @throws when PostgreSQL is unreachable
   */
  async open(onLost: (error: Error) => void): Promise<LeaderConnection> {
    const options = this.dataSource.options as PostgresDataSourceOptions;
    const address =
      this.messaging.directDatabaseUrl === undefined
        ? {
            connectionString: options.url,
            host: options.host,
            port: options.port,
            user: options.username,
            password: options.password,
            database: options.database,
          }
        : { connectionString: this.messaging.directDatabaseUrl };
    const socket = new Socket();
    const client = new Client({
      ...address,
      ssl: options.ssl as ClientConfig['ssl'],
      application_name: `${options.applicationName ?? 'mentorhub'} events`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: SILENCE_LIMIT_MS,
      stream: () => socket,
    });
    let heartbeat: NodeJS.Timeout | undefined;
    let ended = false;
    const lose = (error: Error): void => {
      if (ended) return;
      ended = true;
      clearInterval(heartbeat);
      // Without an answer there is nobody to say goodbye to.
      socket.destroy();
      onLost(error);
    };
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection ended')));
    const beat = (): void => void client.query('SELECT 1').catch(lose);
    try {
      await client.connect();
    } catch (error) {
      ended = true;
      socket.destroy();
      throw error;
    }
    return {
      tryAcquire: async () => {
        const { rows } = await client.query<{ mine: boolean }>(
          'SELECT pg_try_advisory_lock($1) AS mine',
          [LOCK_KEY],
        );
        if (!rows[0]?.mine) return false;
        // A leader that vanished loses the lock after about 11 s instead of two hours.
        await client.query(
          `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
           SET lock_timeout = '2s'`,
        );
        if (!ended) heartbeat = setInterval(beat, HEARTBEAT_MS);
        return true;
      },
      beginTerm: async () => {
        const { rows } = await client.query<{ term: Term }>(
          'UPDATE event_leadership SET term = term + 1 RETURNING term::text',
        );
        const [row] = rows;
        if (!row) throw new Error('the table event_leadership has lost its row');
        return row.term;
      },
      hasUnpublished: async () => {
        const { rows } = await client.query<{ waiting: boolean }>(unpublished);
        return rows[0]?.waiting === true;
      },
      end: async () => {
        if (ended) return;
        ended = true;
        clearInterval(heartbeat);
        const giveUp = setTimeout(() => socket.destroy(), SILENCE_LIMIT_MS);
        try {
          await client.end();
        } finally {
          clearTimeout(giveUp);
        }
      },
    };
  }
}

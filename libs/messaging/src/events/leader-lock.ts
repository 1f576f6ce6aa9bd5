import { Injectable } from '@nestjs/common';
import { Client, type ClientConfig } from 'pg';
import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { OUTBOX_CHANNEL } from './messaging.migrations.js';

/** Key of the advisory lock; locks are per database, and each service has its own. */
const LOCK_KEY = 7_166_838_001;

/** A connection that holds the service's lock and hears its outbox. As long as it lives, no other process has both. */
export interface LeaderConnection {
  readonly client: Client;
  /** Gives the lock back. */
  end(): Promise<void>;
}

export interface LeaderListener {
  /** Rows were added to the outbox. */
  onOutbox(): void;
  /** The connection is gone, and the lock with it. */
  onLost(error: Error): void;
}

/** Makes one process of a service the one that relays and handles its events. */
@Injectable()
export class LeaderLock {
  constructor(private readonly dataSource: DataSource) {}

  /** Opens the dedicated connection, without the lock. @throws when PostgreSQL is unreachable */
  async open(listener: LeaderListener): Promise<LeaderConnection> {
    const options = this.dataSource.options as PostgresDataSourceOptions;
    const client = new Client({
      connectionString: options.url,
      host: options.host,
      port: options.port,
      user: options.username,
      password: options.password,
      database: options.database,
      ssl: options.ssl as ClientConfig['ssl'],
      application_name: `${options.applicationName ?? 'mentorhub'} events`,
      keepAlive: true,
      connectionTimeoutMillis: 5000,
    });
    let ended = false;
    client.on('error', (error) => ended || listener.onLost(error));
    client.on('end', () => ended || listener.onLost(new Error('the connection ended')));
    client.on('notification', () => listener.onOutbox());
    await client.connect();
    return {
      client,
      end: async () => {
        ended = true;
        await client.end();
      },
    };
  }

  /** Whether the lock is ours now. */
  async tryAcquire({ client }: LeaderConnection): Promise<boolean> {
    const { rows } = await client.query<{ mine: boolean }>(
      'SELECT pg_try_advisory_lock($1) AS mine',
      [LOCK_KEY],
    );
    if (!rows[0]?.mine) return false;
    // A holder that vanished without a word loses the lock after about 11 s instead of two hours. A mark that a crash
    // of PostgreSQL forgets means an event published twice, which the inboxes absorb: not worth a flush.
    await client.query(
      `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
       SET synchronous_commit = off`,
    );
    await client.query(`LISTEN ${OUTBOX_CHANNEL}`);
    return true;
  }
}

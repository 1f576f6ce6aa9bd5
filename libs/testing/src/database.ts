import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser URL of the PostgreSQL of this test run. */
    postgresUrl: string;
    /** The same server through a pooler, if the run has one. */
    pooledPostgresUrl: string;
  }
}

export interface TestDatabase {
  /** Connects as its owner, who may create extensions. */
  readonly url: string;
  /** The same past a pooler. */
  readonly directUrl: string;
  /** Drops it, closing what is still connected. */
  drop(): Promise<void>;
}

/**
 * An empty database of the test run's PostgreSQL, for one test file. `name` only makes it easy to
 * recognise.
 *
 * @throws when the project's vitest.config.ts does not name the global setup of this library.
 */
export async function testDatabase(name: string): Promise<TestDatabase> {
  const server = inject('postgresUrl') as string | undefined;
  if (server === undefined) {
    throw new Error(
      "No PostgreSQL for tests: add globalSetup: ['../../libs/testing/src/global-setup.ts'] to the test options of this project's vitest.config.ts",
    );
  }
  const database = `${name.replaceAll(/\W/g, '_').slice(0, 40)}_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${database}`);
  const urlOn = (address: string): string => {
    const url = new URL(address);
    url.pathname = `/${database}`;
    return url.href;
  };
  return {
    url: urlOn(inject('pooledPostgresUrl')),
    directUrl: urlOn(server),
    drop: () => administer(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  };
}

/** Roles of a database: one that owns it, and one that it gives nothing but what migrations grant. */
export interface TestRoles {
  readonly ownerUrl: string;
  readonly serviceUrl: string;
  /** Once the database is dropped. */
  drop(): Promise<void>;
}

/** Makes the roles with which an operator separates migrations from the service; both go past a pooler. */
export async function testRoles({ directUrl }: TestDatabase): Promise<TestRoles> {
  const database = new URL(directUrl).pathname.slice(1);
  const owner = `owner_${database}`.slice(0, 63);
  const service = `service_${database}`.slice(0, 63);
  await administer(
    directUrl,
    `CREATE ROLE ${owner} LOGIN PASSWORD 'owner';
     CREATE ROLE ${service} LOGIN PASSWORD 'service';
     ALTER DATABASE ${database} OWNER TO ${owner};
     REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
     GRANT CONNECT ON DATABASE ${database} TO ${service}`,
  );
  const urlOf = (role: string, password: string): string => {
    const url = new URL(directUrl);
    url.username = role;
    url.password = password;
    return url.href;
  };
  return {
    ownerUrl: urlOf(owner, 'owner'),
    serviceUrl: urlOf(service, 'service'),
    drop: () => administer(inject('postgresUrl'), `DROP ROLE ${owner}, ${service}`),
  };
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

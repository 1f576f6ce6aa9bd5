import { Client } from 'pg';
import type { Postgres } from './postgres.js';
import { StartProblem } from './problem.js';
import type { Secrets } from './secrets.js';
import { type ServiceName, serviceNames, variablePart } from './workspace.js';

export type DatabaseUrls = Record<ServiceName, string>;

/** Whether the environment names a server for every service, so that none of ours is needed. */
export function hasOwnDatabases(environment: NodeJS.ProcessEnv): boolean {
  return serviceNames.every((service) => givenUrl(environment, service) !== undefined);
}

/** The URL that the user gave for a service; with `server`, its database may have to be created. */
function givenUrl(
  environment: NodeJS.ProcessEnv,
  service: ServiceName,
): { url: string; server: boolean } | undefined {
  const own = environment[`DATABASE_URL_${variablePart(service)}`];
  if (own) return { url: own, server: false };
  const common = environment['DATABASE_URL'];
  if (!common) return undefined;
  const url = URL.parse(common);
  if (url === null) {
    throw new StartProblem(
      'DATABASE_URL is not a valid address.',
      'Write it as postgres://user:password@host:5432',
    );
  }
  url.pathname = `/${service}`;
  return { url: url.href, server: true };
}

/**
 * The database of every service: what the environment names, else one on our own PostgreSQL, which
 * belongs to a role of the service's own that no other service can use.
 */
export async function prepareDatabases(
  environment: NodeJS.ProcessEnv,
  postgres: Postgres | undefined,
  passwords: Secrets['databases'],
): Promise<DatabaseUrls> {
  const urls: Partial<DatabaseUrls> = {};
  for (const service of serviceNames) {
    const given = givenUrl(environment, service);
    if (given !== undefined) {
      if (given.server) await createOnGivenServer(environment['DATABASE_URL'] ?? '', service);
      urls[service] = given.url;
    } else if (postgres !== undefined) {
      urls[service] = await createOwned(postgres, service, passwords[service]);
    }
  }
  return urls as DatabaseUrls;
}

async function createOwned(
  postgres: Postgres,
  service: ServiceName,
  password: string,
): Promise<string> {
  await postgres.createDatabase(service);
  await withClient(postgres.url, async (client) => {
    const role = client.escapeIdentifier(service);
    const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [service]);
    await client.query(
      `${known.rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(password)}`,
    );
    await client.query(`ALTER DATABASE ${role} OWNER TO ${role}`);
    await client.query(`REVOKE ALL ON DATABASE ${role} FROM PUBLIC`);
  });
  const url = new URL(postgres.url);
  url.username = service;
  url.password = password;
  url.pathname = `/${service}`;
  return url.href;
}

async function createOnGivenServer(server: string, service: ServiceName): Promise<void> {
  const url = new URL(server);
  if (url.pathname === '' || url.pathname === '/') url.pathname = '/postgres';
  try {
    await withClient(url.href, async (client) => {
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [service]);
      if (found.rowCount === 0) {
        // A server that was set up with C has no letters beyond ASCII, which the search of mentors needs.
        const {
          rows: [template],
        } = await client.query<{ ctype: string }>(
          `SELECT datctype AS ctype FROM pg_database WHERE datname = 'template1'`,
        );
        const letters = /^(C|POSIX)$/.test(template?.ctype ?? '')
          ? ` TEMPLATE template0 ENCODING 'UTF8' LC_CTYPE 'C.UTF-8'`
          : '';
        await client.query(`CREATE DATABASE ${client.escapeIdentifier(service)}${letters}`);
      }
    });
  } catch (error) {
    throw new StartProblem(
      `The database "${service}" could not be made on the server of DATABASE_URL (${url.host}): ${error instanceof Error ? error.message : String(error)}`,
      'Start the server, let the user of DATABASE_URL create databases, or create it and name it in ' +
        `DATABASE_URL_${variablePart(service)}.`,
      { cause: error },
    );
  }
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

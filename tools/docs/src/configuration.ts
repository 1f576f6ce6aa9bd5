import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type AppName, appNames, workspaceRoot } from '@mentorhub/local-system';
import { describeVariables } from '@mentorhub/service-kit';
import { format, resolveConfig } from 'prettier';

type Variables = Parameters<typeof describeVariables>[0];

const introduction = `# Configuration

Apps are configured by environment variables alone. Each reads only its own, listed below; a start with wrong ones ends
with exit code 78 and names every wrong variable, what is wrong with it and what it is for.

This page is made from the apps' own lists by \`npm run docs\`; a test keeps it current.

## The local runner

\`npm start\` sets everything the apps need. What is set in its environment wins and is handed on.

| Variable | Meaning | Default |
| --- | --- | --- |
| \`DATA_DIRECTORY\` | Where databases, events, captured mails and secrets are kept | \`.data\` |
| \`DATABASE_URL\` | A PostgreSQL server to use instead of the embedded one; every service takes the database named after it, which is created when missing | — |
| \`DATABASE_URL_<SERVICE>\` | The database of one service, such as \`DATABASE_URL_IDENTITY\` | — |
| \`NATS_URL\` | A nats-server with JetStream to use instead of a local one | — |
| \`PORT_EDGE\`, \`HOST_EDGE\` | Where the edge listens | \`8000\`, \`127.0.0.1\` |
| \`PORT_API_GATEWAY\`, \`PORT_CHAT_GATEWAY\` | Ports of the gateways | \`8001\`, \`8002\` |
| \`PORT_POSTGRES\`, \`PORT_NATS\` | Ports of the local servers | \`54320\`, \`42220\` |
| \`MANAGEMENT_PORT_<APP>\` | Port for health and metrics of one app, such as \`MANAGEMENT_PORT_CHAT\` | \`8011\`–\`8015\`, \`8021\`, \`8022\` |

## NATS users

Each app has a NATS user of its own, which may send the requests and read the events that the app needs, and nothing
else; only the gateways may send requests on users' behalf. The lists are in \`libs/messaging/src/nats-permissions.ts\`,
with a function that renders the configuration of a server. Identity's user alone makes and changes the event stream.
What the lists cannot hold, and what holds it instead, is said in \`docs/adr/0001-request-transport.md\`.

An app is known by a password (\`NATS_USER\`, \`NATS_PASSWORD\`) or by an NKey (\`NATS_NKEY_SEED\`), of which the servers have
the public key alone. Configurations for NKeys are in \`deploy/nats\`. With \`tls://\` in \`NATS_URL\` an app talks to no
server without TLS, nor to one whose certificate has another name or another authority than those of \`NATS_CA_FILE\`.

## Database roles

By default the role of a service owns its tables and migrates them. With \`MIGRATION_DATABASE_URL_<SERVICE>\`, or
\`MIGRATION_DATABASE_URL\` for all, another role does: migrations run by it, and give the role of \`DATABASE_URL\` the rows of
the tables (\`SELECT\`, \`INSERT\`, \`UPDATE\`, \`DELETE\`) and the use of the sequences. A right that is taken from that role
later stays taken. Only what migrates needs the address, \`migrate.js\` or a service with \`RUN_MIGRATIONS=true\`; it needs the
service's own address as well. For a new database, as an administrator of the server:

\`\`\`sql
CREATE ROLE identity_owner LOGIN PASSWORD '…';
CREATE ROLE identity LOGIN PASSWORD '…';
CREATE DATABASE identity OWNER identity_owner;
REVOKE ALL ON DATABASE identity FROM PUBLIC;
GRANT CONNECT ON DATABASE identity TO identity;
\`\`\`

For one that the service owns already, first \`CREATE ROLE identity_owner LOGIN PASSWORD '…'\`, then, connected to that
database, \`REASSIGN OWNED BY identity TO identity_owner\`, which includes the database, and the \`GRANT CONNECT\` from above;
then run the migrations with the new address, as the service has no rights until they have run. A server of a version before 15 lets everybody make tables:
\`REVOKE CREATE ON SCHEMA public FROM PUBLIC\`.

## Secrets

A secret may come from a file, as Docker and Kubernetes mount them: \`SECRET_KEY_FILE=/run/secrets/secret-key\` instead of
\`SECRET_KEY\`. The tables name both for every secret. The file is read once, at the start; blanks and line ends around the
value do not count. A secret that is set both ways, or whose file is missing, unreadable, empty, larger than 64 KiB or not
UTF-8 text, ends the start with exit code 78 and the name of the variable.

\`SECRET_KEY\` of identity encrypts the private signing keys in its database. Keep it with the backups of that database:
without it, identity cannot start on them. The local runner makes it once and keeps it in the data folder, readable by
its owner only.
`;

async function variablesOf(app: AppName): Promise<Variables> {
  const file = pathToFileURL(join(workspaceRoot, 'apps', app, 'dist', 'config.js'));
  const { variables } = (await import(file.href)) as { variables: Variables };
  return variables;
}

/** The text of docs/configuration.md, from the lists of the built apps. */
export async function configurationDocument(): Promise<string> {
  const sections = await Promise.all(
    appNames.map(async (app) => `## ${app}\n\n${describeVariables(await variablesOf(app))}`),
  );
  const file = configurationFile();
  const text = [introduction, ...sections].join('\n');
  return format(text, { ...(await resolveConfig(file)), filepath: file });
}

export function configurationFile(): string {
  return join(workspaceRoot, 'docs', 'configuration.md');
}

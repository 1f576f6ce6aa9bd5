import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import {
  natsApps,
  natsServerConfig,
  type NatsServerSettings,
} from '@mentorhub/messaging/nats-permissions';

/** The name of the variable with the public NKey of an app: `NATS_NKEY_API_GATEWAY`. */
function keyVariable(app: string): string {
  return `NATS_NKEY_${app.toUpperCase().replaceAll('-', '_')}`;
}

const common: NatsServerSettings = {
  users: Object.fromEntries(
    natsApps.map((app) => [app, { nkey: { environment: keyVariable(app) } }]),
  ),
  host: '0.0.0.0',
  port: 4222,
  monitoringPort: 8222,
  storeDirectory: '/data/jetstream',
};

const tls = { certFile: '/etc/nats/tls/tls.crt', keyFile: '/etc/nats/tls/tls.key' };

const header = `# Made by \`npm run docs\` from libs/messaging/src/nats-permissions.ts; a test keeps it current.
# The values with a $ come from the environment of nats-server: see deploy/nats/README.md.
`;

/** The committed configurations of NATS servers, by the path from the root of the workspace. */
export function natsServerFiles(): Record<string, string> {
  const settings: Record<string, NatsServerSettings> = {
    'single.conf': common,
    'single-tls.conf': { ...common, tls },
    'cluster-tls.conf': {
      ...common,
      serverName: { environment: 'SERVER_NAME' },
      tls,
      pidFile: '/var/run/nats/nats.pid',
      cluster: {
        name: 'mentorhub',
        port: 6222,
        routes: [0, 1, 2].map((index) => `nats://nats-${index}.nats-headless:6222`),
        tls: { ...tls, caFile: '/etc/nats/tls/ca.crt' },
      },
    },
  };
  return Object.fromEntries(
    Object.entries(settings).map(([name, each]) => [
      `deploy/nats/${name}`,
      header + natsServerConfig(each),
    ]),
  );
}

/** Where such a file is. */
export function natsServerFile(path: string): string {
  return join(workspaceRoot, path);
}

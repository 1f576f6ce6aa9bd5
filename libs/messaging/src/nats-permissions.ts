/*
 * Who may say what on NATS. Imports nothing, so that deployment tools can read it too.
 */

/** Subjects a NATS user may publish and subscribe to. */
export interface NatsPermissions {
  publish: string[];
  subscribe: string[];
}

/** The JetStream stream that carries all events. */
export const EVENT_STREAM = 'EVENTS';

const gateways = ['api-gateway', 'chat-gateway'] as const;
/**
 * The service that makes the stream for all. Whoever may shape a stream can make it store requests, passwords included,
 * or send on any subject; identity holds the passwords and the signing keys as it is.
 */
export const STREAM_OWNER = 'identity';

const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'] as const;

/** Every app that connects to NATS. */
export const natsApps = [...gateways, ...services] as const;
export type NatsApp = (typeof natsApps)[number];

/** Requests that services send each other, one by one: who may send a request may name any caller. */
const serviceRequests: Record<(typeof services)[number], string[]> = {
  identity: [],
  mentorship: [
    'rpc.identity.users.people',
    'rpc.identity.users.contact',
    'rpc.payments.amounts_due.close',
  ],
  chat: ['rpc.identity.users.people'],
  notifications: ['rpc.identity.users.contact', 'rpc.identity.email_verification.mint'],
  payments: ['rpc.mentorship.bookings.amount_due'],
};

/** Signals beyond `signal.<service>.>`. */
const serviceSignals: Partial<Record<(typeof services)[number], string[]>> = {
  chat: ['signal.user.*.frame'],
};

/** Whose events a service handles, besides its own. */
export const eventSources: Record<(typeof services)[number], (typeof services)[number][]> = {
  identity: ['mentorship'],
  mentorship: ['identity', 'payments'],
  chat: ['identity', 'notifications'],
  notifications: ['identity', 'mentorship', 'chat', 'payments'],
  payments: ['mentorship'],
};

/** The name of a service's consumer of another's events. */
export function consumerName(service: string, source: string): string {
  return `${service}_${source}`;
}

/** What JetStream needs to find the stream, run a service's own consumers and acknowledge their events. */
function jetStream(service: (typeof services)[number]): string[] {
  const stream = EVENT_STREAM;
  return [
    '$JS.API.INFO',
    `$JS.API.STREAM.INFO.${stream}`,
    ...(service === STREAM_OWNER
      ? [`$JS.API.STREAM.CREATE.${stream}`, `$JS.API.STREAM.UPDATE.${stream}`]
      : []),
    ...[service, ...eventSources[service]].flatMap((source) => {
      const consumer = consumerName(service, source);
      return [
        `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
        `$JS.API.CONSUMER.CREATE.${stream}.${consumer}`,
        `$JS.API.CONSUMER.CREATE.${stream}.${consumer}.>`,
        `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${consumer}`,
        `$JS.API.CONSUMER.DELETE.${stream}.${consumer}`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
        `$JS.ACK.${stream}.${consumer}.>`,
      ];
    }),
  ];
}

function gatewayPermissions(app: string): NatsPermissions {
  return {
    publish: ['rpc.>'],
    subscribe: [`_INBOX.${app}.>`, 'signal.>'],
  };
}

function servicePermissions(service: (typeof services)[number]): NatsPermissions {
  return {
    publish: [
      `event.${service}.>`,
      `signal.${service}.>`,
      ...(serviceSignals[service] ?? []),
      ...serviceRequests[service],
      ...jetStream(service),
      // Whoever asks names in the subject of its inbox whom it asked. `allow_responses` would have the server remember
      // every message with a reply subject, events included: nats-server 2.9 goes through all of them for each message
      // once it remembers 4096.
      `_INBOX.*.${service}.>`,
    ],
    subscribe: [`rpc.${service}.>`, `_INBOX.${service}.>`],
  };
}

/** Allow lists by app. What is not listed is denied. */
export const natsPermissions = Object.fromEntries([
  ...gateways.map((app) => [app, gatewayPermissions(app)]),
  ...services.map((service) => [service, servicePermissions(service)]),
]) as Record<NatsApp, NatsPermissions>;

export interface NatsServerSettings {
  /** Password of each app's user; the user is named as the app. */
  users: Partial<Record<NatsApp, string>>;
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Where JetStream keeps its files. */
  storeDirectory: string;
  /** Port of the monitoring page; none by default. */
  monitoringPort?: number;
  serverName?: string;
}

/** Configuration text of one nats-server with JetStream and a user per app. Works from nats-server 2.9. */
export function natsServerConfig(settings: NatsServerSettings): string {
  const { users, port, host = '127.0.0.1', storeDirectory, monitoringPort, serverName } = settings;
  const lines = [
    `listen: ${quote(`${host}:${port}`)}`,
    ...(serverName === undefined ? [] : [`server_name: ${quote(serverName)}`]),
    ...(monitoringPort === undefined ? [] : [`http: ${quote(`${host}:${monitoringPort}`)}`]),
    `jetstream { store_dir: ${quote(storeDirectory)} }`,
    'authorization {',
    '  users: [',
    ...Object.entries(users).map(([app, password]) => userConfig(app as NatsApp, password)),
    '  ]',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

function userConfig(app: NatsApp, password: string): string {
  const { publish, subscribe } = natsPermissions[app];
  return [
    `    { user: ${quote(app)}, password: ${quote(password)}, permissions: {`,
    `      publish: { allow: [${publish.map(quote).join(', ')}] }`,
    `      subscribe: { allow: [${subscribe.map(quote).join(', ')}] }`,
    '    } }',
  ].join('\n');
}

function quote(text: string): string {
  return JSON.stringify(text);
}

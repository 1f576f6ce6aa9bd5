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
 * The service that makes the stream for all. An app that may change a stream can make it store requests, passwords
 * included, or send on any subject; identity has the passwords and the signing keys as it is.
 */
export const STREAM_OWNER = 'identity';

const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'] as const;
type Service = (typeof services)[number];

/** Every app that connects to NATS. */
export const natsApps = [...gateways, ...services] as const;
export type NatsApp = (typeof natsApps)[number];

/** What operators send to each service, through the api-gateway. */
const operatorRequests = [
  'dead_letters.list',
  'dead_letters.retry',
  'health.check',
  'outbox.republish',
];

/** The requests that an app sends to each service, one by one: who may send a request may name any caller. */
const requests: Record<NatsApp, Partial<Record<Service, string[]>>> = {
  'api-gateway': {
    identity: [
      'admin_users.list',
      'admin_users.update',
      'audit.list',
      'audit.note_denials',
      'auth.login',
      'auth.logout',
      'auth.logout_all',
      'auth.reauthenticate',
      'auth.refresh',
      'email_changes.confirm',
      'email_changes.request',
      'email_changes.undo',
      'avatars.admit',
      'avatars.read',
      'avatars.remove',
      'avatars.replace',
      'email_login.request',
      'email_login.request_reauthentication',
      'email_login.verify',
      'email_login.verify_second_factor',
      'email_verification.send',
      'email_verification.verify',
      'erasure.erase',
      'keys.list',
      'members.begin_import',
      'members.finish_import',
      'members.import_rows',
      'members.list',
      'passkeys.add',
      'passkeys.confirmation_options',
      'passkeys.list',
      'passkeys.registration_options',
      'passkeys.remove',
      'passkeys.rename',
      'passkeys.sign_in',
      'passkeys.sign_in_options',
      'second_factors.confirm_totp',
      'second_factors.disable_totp',
      'second_factors.enrol_totp',
      'second_factors.passkey_options',
      'second_factors.replace_recovery_codes',
      'second_factors.status',
      'second_factors.verify',
      'password_changes.change',
      'password_changes.forgot',
      'password_changes.reset',
      'providers.link',
      'providers.linked',
      'providers.list',
      'providers.sign_in',
      'providers.start',
      'providers.start_link',
      'providers.unlink',
      'personal_data.collect',
      'personal_data_exports.begin',
      'sessions.list',
      'sessions.revoke',
      'sessions.revoke_others',
      'sessions.revoked',
      'socket_tickets.issue',
      'users.card',
      'users.me',
      'users.register',
      'users.update_me',
      ...operatorRequests,
    ],
    mentorship: [
      'availability.mine',
      'availability.replace',
      'bookings.add_meeting_link',
      'bookings.create',
      'bookings.list',
      'bookings.update_status',
      'mentor_profiles.availability',
      'mentor_profiles.get',
      'mentor_profiles.list',
      'mentor_profiles.mine',
      'mentors.applications',
      'mentors.apply',
      'mentors.approve',
      'mentors.get',
      'mentors.list',
      'mentors.reject',
      'mentors.slots',
      'personal_data.collect',
      'session_bookings.book',
      'session_bookings.cancel',
      'session_bookings.complete',
      'session_bookings.confirm',
      'session_bookings.get',
      'session_bookings.list',
      ...operatorRequests,
    ],
    chat: [
      'chats.history',
      'chats.list',
      'messages.read',
      'messages.send',
      'personal_data.collect',
      'presence.online',
      ...operatorRequests,
    ],
    notifications: [
      'dev_mail.list',
      'notifications.clear',
      'notifications.list',
      'notifications.read',
      'notifications.read_all',
      'notifications.remove',
      'notifications.unread_count',
      'personal_data.collect',
      ...operatorRequests,
    ],
    payments: [
      'checkout.complete',
      'checkout.view',
      'payments.complete_sandbox',
      'payments.create',
      'payments.get',
      'payments.history',
      'personal_data.collect',
      ...operatorRequests,
    ],
  },
  'chat-gateway': {
    identity: ['keys.list', 'sessions.revoked', 'socket_tickets.redeem'],
    chat: [
      'event_log.head',
      'event_log.heads',
      'event_log.read',
      'messages.post',
      'messages.read',
      'presence.report',
      'typing.show',
    ],
  },
  identity: {},
  mentorship: {
    identity: ['users.contact', 'users.people'],
    payments: ['amounts_due.close'],
  },
  chat: { identity: ['users.people'] },
  notifications: { identity: ['account_mails.mint', 'users.contact'] },
  payments: { mentorship: ['bookings.amount_due'] },
};

/** The subjects of the requests that an app may send. */
export function requestsOf(app: NatsApp): string[] {
  return Object.entries(requests[app]).flatMap(([service, names]) =>
    names.map((name) => `rpc.${service}.${name}`),
  );
}

/** Signals beyond `signal.<service>.>`. */
const serviceSignals: Partial<Record<Service, string[]>> = {
  chat: ['signal.user.*.frame'],
};

/** What a service reads of the events of others: the filter of its consumer of each. */
export const eventFilters: Record<Service, Partial<Record<Service, string>>> = {
  identity: { mentorship: 'event.mentorship.mentor.*' },
  mentorship: { identity: 'event.identity.user.*', payments: 'event.payments.payment.*' },
  chat: {
    identity: 'event.identity.user.*',
    notifications: 'event.notifications.notification.created',
  },
  notifications: {
    identity: 'event.identity.user.*',
    mentorship: 'event.mentorship.>',
    chat: 'event.chat.>',
    payments: 'event.payments.payment.*',
  },
  payments: {
    identity: 'event.identity.user.erased',
    mentorship: 'event.mentorship.booking.*',
  },
};

/** The filter of a service's consumer of the events of another, or of its own, which no app here listens to. */
export function filterOf(service: string, source: string): string {
  const filters: Partial<Record<string, Partial<Record<string, string>>>> = eventFilters;
  return filters[service]?.[source] ?? `event.${source}.>`;
}

/** The name of a service's consumer of another's events. */
export function consumerName(service: string, source: string): string {
  return `${service}_${source}`;
}

/**
 * What JetStream needs to find the stream, run a service's own consumers and acknowledge their events. The subject of the
 * call that makes a consumer ends with its filter, and the server refuses one that says otherwise inside: so a service
 * reads what its filters let through, or part of it.
 */
function jetStream(service: Service): string[] {
  const stream = EVENT_STREAM;
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    // The last of its own events.
    `$JS.API.DIRECT.GET.${stream}.event.${service}.>`,
    ...(service === STREAM_OWNER
      ? [`$JS.API.STREAM.CREATE.${stream}`, `$JS.API.STREAM.UPDATE.${stream}`]
      : []),
    ...Object.entries(eventFilters[service]).flatMap(([source, filter]) => {
      const consumer = consumerName(service, source);
      return [
        `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
        `$JS.API.CONSUMER.CREATE.${stream}.${consumer}.${filter}`,
        `$JS.API.CONSUMER.DELETE.${stream}.${consumer}`,
        `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
        `$JS.ACK.${stream}.${consumer}.>`,
      ];
    }),
  ];
}

function gatewayPermissions(app: (typeof gateways)[number]): NatsPermissions {
  return {
    publish: requestsOf(app),
    subscribe: [`_INBOX.${app}.>`, 'signal.>'],
  };
}

function servicePermissions(service: Service): NatsPermissions {
  return {
    publish: [
      `event.${service}.>`,
      `signal.${service}.>`,
      ...(serviceSignals[service] ?? []),
      ...requestsOf(service),
      ...jetStream(service),
      // The subject of an inbox names the app that was asked. `allow_responses` would have the server remember every
      // message with a reply subject, events included: nats-server 2.9 goes through all of them for each message once it
      // remembers 4096.
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

/** A value of the configuration: the text itself, or the environment variable of nats-server that has it. */
export type NatsConfigValue = string | { environment: string };

/** How an app proves who it is: by a password, or by the seed of a public NKey (`U…`), which alone the server knows. */
export type NatsUser = string | { nkey: NatsConfigValue };

/** Paths of PEM files. */
export interface NatsTls {
  certFile: string;
  keyFile: string;
}

/** The servers that make up a cluster, which is the same text for each of them but for `serverName`. */
export interface NatsCluster {
  name: string;
  /** Where the other servers connect to. */
  port: number;
  /** Where all of the servers are, as `nats://host:port`; a server leaves itself out. */
  routes: string[];
  /**
   * Certificates by which the servers recognise one another, for both ends of a connection. Without, whoever reaches the
   * port is one of them, past all users and permissions.
   */
  tls?: NatsTls & { caFile: string };
}

export interface NatsServerSettings {
  /** Each app's user: its password, by the name of the app, or its public NKey. */
  users: Partial<Record<NatsApp, NatsUser>>;
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Where JetStream keeps its files. */
  storeDirectory: string;
  /** Port of the monitoring page; none by default. */
  monitoringPort?: number;
  /** Differs between the servers of a cluster, and stays: JetStream knows them by it. */
  serverName?: NatsConfigValue;
  /** Clients without TLS are refused. */
  tls?: NatsTls;
  cluster?: NatsCluster;
  /** Where the server writes its process id, for `nats-server --signal`. */
  pidFile?: string;
}

/**
 * Configuration text of one nats-server with JetStream and a user per app. Works from nats-server 2.9.
 */
export function natsServerConfig(settings: NatsServerSettings): string {
  const { users, port, host = '127.0.0.1', storeDirectory, monitoringPort } = settings;
  const { serverName, tls, cluster, pidFile } = settings;
  const lines = [
    `listen: ${quote(`${host}:${port}`)}`,
    ...(serverName === undefined ? [] : [`server_name: ${valueConfig(serverName)}`]),
    ...(monitoringPort === undefined ? [] : [`http: ${quote(`${host}:${monitoringPort}`)}`]),
    ...(pidFile === undefined ? [] : [`pid_file: ${quote(pidFile)}`]),
    `jetstream { store_dir: ${quote(storeDirectory)} }`,
    ...(tls === undefined ? [] : [`tls { ${tlsConfig(tls)} }`]),
    ...(cluster === undefined ? [] : clusterConfig(cluster, host)),
    ...(cluster === undefined ? [] : lameDuckConfig),
    'authorization {',
    '  users: [',
    ...Object.entries(users).map(([app, user]) => userConfig(app as NatsApp, user)),
    '  ]',
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** On `nats-server --signal ldm`, clients are sent to the other servers one by one, and the server ends within `lame_duck_duration`. */
const lameDuckConfig = ['lame_duck_grace_period: "10s"', 'lame_duck_duration: "30s"'];

function clusterConfig({ name, port, routes, tls }: NatsCluster, host: string): string[] {
  return [
    'cluster {',
    `  name: ${quote(name)}`,
    `  listen: ${quote(`${host}:${port}`)}`,
    `  routes: [${routes.map(quote).join(', ')}]`,
    // Apps have the addresses from their configuration; those that the servers know may lead nowhere from outside.
    '  no_advertise: true',
    ...(tls ? [`  tls { ${tlsConfig(tls)}, ca_file: ${quote(tls.caFile)}, verify: true }`] : []),
    '}',
  ];
}

function tlsConfig({ certFile, keyFile }: NatsTls): string {
  return `cert_file: ${quote(certFile)}, key_file: ${quote(keyFile)}`;
}

function userConfig(app: NatsApp, user: NatsUser): string {
  const { publish, subscribe } = natsPermissions[app];
  const identity =
    typeof user === 'string'
      ? `user: ${quote(app)}, password: ${quote(user)}`
      : `nkey: ${valueConfig(user.nkey)}`;
  return [
    `    # ${app}`,
    `    { ${identity}, permissions: {`,
    `      publish: { allow: [${publish.map(quote).join(', ')}] }`,
    `      subscribe: { allow: [${subscribe.map(quote).join(', ')}] }`,
    '    } }',
  ].join('\n');
}

function valueConfig(value: NatsConfigValue): string {
  return typeof value === 'string' ? quote(value) : `$${value.environment}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

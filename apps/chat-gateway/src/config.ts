import {
  checkShutdown,
  choice,
  type Environment,
  gatewayVariables,
  integer,
  isLocal,
  list,
  type RawEnvironment,
  readEnvironment,
} from '@mentorhub/service-kit';

export const variables = {
  ...gatewayVariables({ port: 8002, managementPort: 8022, shutdownTimeoutMs: 40_000 }),
  TRUSTED_PROXIES: list({
    default: ['loopback'],
    desc: 'Addresses or networks of the proxies in front, whose X-Forwarded-For is believed',
  }),
  WS_QUERY_TOKEN: choice(['on', 'off'])({
    default: 'on',
    desc: 'Whether an access token may stand in the address, `?token=`; tickets and the `auth` frame always work',
  }),
  WS_HEARTBEAT_SECONDS: integer({
    default: 25,
    min: 1,
    max: 300,
    desc: 'How often open WebSockets are pinged and compared with the event logs, in seconds',
  }),
  WS_DRAIN_SECONDS: integer({
    defaultFrom: (environment) => (isLocal(environment) ? 0 : 20),
    defaultText: '20; 0 in the local profile',
    max: 3600,
    desc: 'Over how long a stopping gateway spreads the closing of its WebSockets, in seconds, so that their clients do not all reconnect at once; 0 closes them together',
  }),
  WS_CONNECTIONS_PER_USER: integer({
    default: 10,
    min: 1,
    desc: 'Open WebSockets of one user on this gateway; one more closes the oldest',
  }),
  WS_CONNECTIONS: integer({
    default: 20_000,
    min: 1,
    max: 50_000,
    desc: 'Open WebSockets on this gateway; more are refused with 503',
  }),
  WS_CONNECTIONS_PER_ADDRESS: integer({
    default: 1000,
    min: 1,
    desc: 'Open WebSockets of one client address, for IPv6 one /64 network, on this gateway; more are refused with 429',
  }),
  WS_UNAUTHENTICATED: integer({
    default: 2000,
    min: 1,
    desc: 'Open WebSockets on this gateway whose `auth` frame is awaited; more are refused with 503',
  }),
  WS_UNAUTHENTICATED_PER_ADDRESS: integer({
    default: 100,
    min: 1,
    desc: 'Open WebSockets of one client address whose `auth` frame is awaited; more are refused with 429',
  }),
  WS_CONTROL_FRAMES_PER_10_SECONDS: integer({
    default: 50,
    min: 1,
    desc: 'Pings and pongs a WebSocket may send in 10 seconds, or at once after a pause; more close it with 4429',
  }),
  WS_RESUMES_PER_MINUTE: integer({
    default: 30,
    min: 1,
    desc: 'Resumes of one user on this gateway in a minute, or at once after a pause',
  }),
  WS_RESUMES_AT_ONCE: integer({
    default: 16,
    min: 1,
    desc: 'Pages of event logs that are read for resuming devices at the same time; the others wait for their turn',
  }),
  WS_MESSAGES_PER_10_SECONDS: integer({
    default: 20,
    min: 1,
    desc: 'Messages a WebSocket may send in 10 seconds in the long run',
  }),
  WS_MESSAGE_BURST: integer({
    default: 40,
    min: 1,
    desc: 'Messages a WebSocket may send at once after a pause',
  }),
};

export type ChatGatewayConfig = Environment<typeof variables>;

/** How long one stopping WebSocket may take, and the gateway after the last of them, in milliseconds. */
export const stopLimits = {
  /** For the frame that is being handled. */
  lastFrame: 5000,
  /** For the client to answer the close. */
  goodbye: 2000,
  /** For the report that nobody is connected here any more. */
  presence: 1000,
};

/** @throws ConfigurationError that lists every variable that is missing or wrong */
export function readConfig(environment: RawEnvironment): ChatGatewayConfig {
  const config = readEnvironment(environment, variables);
  const { lastFrame, goodbye, presence } = stopLimits;
  checkShutdown(config, [
    { name: 'WS_DRAIN_SECONDS', ms: config.WS_DRAIN_SECONDS * 1000 },
    { name: 'last frames and goodbyes', ms: lastFrame + goodbye + presence },
  ]);
  return config;
}

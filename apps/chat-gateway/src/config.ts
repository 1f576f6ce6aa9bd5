import {
  choice,
  type Environment,
  gatewayVariables,
  integer,
  type RawEnvironment,
  readEnvironment,
} from '@mentorhub/service-kit';

export const variables = {
  ...gatewayVariables({ port: 8002, managementPort: 8022 }),
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
  WS_CONNECTIONS_PER_USER: integer({
    default: 10,
    min: 1,
    desc: 'Open WebSockets of one user on this gateway; one more closes the oldest',
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

export const readConfig = (environment: RawEnvironment): ChatGatewayConfig =>
  readEnvironment(environment, variables);

import {
  type Environment,
  gatewayVariables,
  integer,
  list,
  type RawEnvironment,
  readEnvironment,
} from '@mentorhub/service-kit';

/** Every variable of this app; also read by the documentation of the configuration. */
export const variables = {
  ...gatewayVariables({ port: 8001, managementPort: 8021 }),
  TRUSTED_PROXIES: list({
    default: ['loopback'],
    desc: 'Addresses or networks of the proxies in front, whose X-Forwarded-For is believed',
  }),
  MAX_BODY_BYTES: integer({
    default: 64 * 1024,
    min: 1024,
    desc: 'The largest request body, in bytes, of routes that do not allow more',
  }),
  REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    min: 1000,
    max: 300_000,
    desc: 'How long a client may take to send its request, in milliseconds',
  }),
};

export type ApiGatewayConfig = Environment<typeof variables>;

/** @throws ConfigurationError that lists every variable that is missing or wrong */
export const readConfig = (environment: RawEnvironment): ApiGatewayConfig =>
  readEnvironment(environment, variables);

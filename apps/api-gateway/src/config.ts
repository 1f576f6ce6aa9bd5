import { isIP } from 'node:net';
import {
  checkShutdown,
  ConfigurationError,
  type Environment,
  gatewayVariables,
  integer,
  isLocal,
  list,
  type RawEnvironment,
  readEnvironment,
} from '@mentorhub/service-kit';

/** Every variable of this app; also read by the documentation of the configuration. */
export const variables = {
  ...gatewayVariables({ port: 8001, managementPort: 8021 }),
  TRUSTED_PROXIES: list({
    defaultFrom: (environment) => (isLocal(environment) ? ['loopback'] : undefined),
    defaultText: 'required; loopback in the local profile',
    desc: 'Addresses, networks or `loopback`, `linklocal`, `uniquelocal`: the proxies in front, whose X-Forwarded-For is believed; `none` without a proxy',
    example: '10.0.0.0/8',
  }),
  MAX_BODY_BYTES: integer({
    default: 64 * 1024,
    min: 1024,
    desc: 'The largest request body, in bytes, of routes that do not allow more',
  }),
  MAX_IMPORT_BYTES: integer({
    default: 10 * 1024 ** 2,
    min: 1024,
    desc: 'The largest file of members that may be imported, in bytes; edges in front have a limit of their own',
  }),
  REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    min: 1000,
    max: 300_000,
    desc: 'How long a client may take to send its request, in milliseconds',
  }),
};

export type ApiGatewayConfig = Environment<typeof variables>;

/** The longest that a user's request takes; its contract says so. */
const requestsInFlightMs = 5000;

/** @throws ConfigurationError that lists every variable that is missing or wrong */
export function readConfig(environment: RawEnvironment): ApiGatewayConfig {
  const config = readEnvironment(environment, variables);
  checkShutdown(config, [{ name: 'requests in flight', ms: requestsInFlightMs }]);
  return { ...config, TRUSTED_PROXIES: trustedProxies(config.TRUSTED_PROXIES) };
}

const networkNames = ['loopback', 'linklocal', 'uniquelocal'];

function trustedProxies(listed: string[]): string[] {
  if (listed.length === 1 && listed[0] === 'none') return [];
  const wrong = listed.filter((proxy) => !networkNames.includes(proxy) && !isNetwork(proxy));
  if (wrong.length === 0) return listed;
  throw new ConfigurationError([
    `TRUSTED_PROXIES has ${wrong.join(', ')}: use addresses such as 10.1.2.3, networks such as 10.0.0.0/8, ${networkNames.join(', ')}, or none alone.`,
  ]);
}

/** An IP address, or one with the length of its prefix. */
function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

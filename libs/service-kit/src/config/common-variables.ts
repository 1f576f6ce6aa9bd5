import { natsVariables } from './nats-variables.js';
import {
  address,
  choice,
  type Environment,
  flag,
  integer,
  list,
  port,
  type RawEnvironment,
  type Source,
  text,
  type Variables,
  webAddress,
} from './variables.js';

/** How the system is run: `local` on one machine with its own servers, `production` with given ones. */
export const profiles = ['local', 'production'] as const;

/**
 * Whether an environment chooses the local profile: by `PROFILE=local` and nothing else. For defaults; a configuration
 * that was read has its own `PROFILE`.
 */
export const isLocal = (environment: RawEnvironment): boolean =>
  environment['PROFILE']?.trim() === 'local';

export interface CommonVariablesOptions {
  /** Default of MANAGEMENT_PORT; each app has its own, so that all can run on one machine. */
  managementPort?: number;
  /** Default of SHUTDOWN_TIMEOUT_MS, in milliseconds; 20000 unless an app needs more. */
  shutdownTimeoutMs?: number;
}

interface OwnOptions extends CommonVariablesOptions {
  /** The least SHUTDOWN_TIMEOUT_MS, in milliseconds. */
  shutdownMs?: number;
}

function commonVariables({
  managementPort = 8010,
  shutdownTimeoutMs = 20_000,
  shutdownMs = 100,
}: OwnOptions) {
  return {
    NODE_ENV: choice(['production', 'development', 'test'])({
      default: 'production',
      desc: 'What libraries tune themselves for',
    }),
    PROFILE: choice(profiles)({
      default: 'production',
      desc: '`local` runs on one machine, with readable logs and development pages; `production` asks for real servers',
    }),
    LOG_LEVEL: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])({
      default: 'info',
      desc: 'The least severe log lines that are written',
    }),
    LOG_FORMAT: choice(['json', 'pretty'])({
      defaultFrom: (environment) => (isLocal(environment) ? 'pretty' : 'json'),
      defaultText: 'json; pretty in the local profile',
      desc: 'How log lines look: for machines or for people',
    }),
    ...natsVariables,
    MANAGEMENT_PORT: port({
      default: managementPort,
      desc: 'Where /health, /health/live, /health/ready and /metrics are served',
    }),
    MANAGEMENT_HOST: text({
      defaultFrom: (environment) => (isLocal(environment) ? '127.0.0.1' : '0.0.0.0'),
      defaultText: '0.0.0.0; 127.0.0.1 in the local profile',
      desc: 'The address the management port is bound to',
    }),
    PUBLIC_URL: webAddress({
      defaultFrom: (environment) => (isLocal(environment) ? 'http://localhost:8000' : undefined),
      defaultText: 'required; http://localhost:8000 in the local profile',
      desc: 'Where users reach MentorHub; links in mails begin with it',
      example: 'https://mentorhub.example',
    }),
    SHUTDOWN_TIMEOUT_MS: integer({
      default: shutdownTimeoutMs,
      min: shutdownMs,
      desc: 'How long a stopping process may take to finish its work, in milliseconds; less than what the supervisor waits before it kills',
    }),
    OTEL_EXPORTER_OTLP_ENDPOINT: webAddress({
      optional: true,
      desc: 'Where traces are sent, as OTLP over HTTP; without it none are made',
      example: 'http://collector:4318',
    }),
  } satisfies Variables;
}

/** DATABASE_URL names the server; each service has its own database there. */
function ownDatabase(service: string): (url: string) => string {
  return (url) => withPath(url, `/${service.toLowerCase()}`);
}

/** DATABASE_DIRECT_URL and MIGRATION_DATABASE_URL name the server; the database has the name by which it is reached otherwise. */
function sameDatabase(ownName: string, service: string): NonNullable<Source['derive']> {
  return (url, environment) => {
    const own = environment[ownName]?.trim();
    const path = own ? URL.parse(own)?.pathname : undefined;
    return withPath(url, path ?? `/${service.toLowerCase()}`);
  };
}

function withPath(url: string, path: string): string {
  const parsed = URL.parse(url);
  if (!parsed) return url;
  parsed.pathname = path;
  return parsed.href;
}

/** How long a stopping service waits for the requests and events in flight, in milliseconds. */
export const serviceDrainMs = 15_000;

/** The variables that every service has. `service` names its own database variable: `DATABASE_URL_IDENTITY`. */
export function serviceVariables(service: string, options: CommonVariablesOptions = {}) {
  const suffix = service.toUpperCase().replaceAll('-', '_');
  const ownName = `DATABASE_URL_${suffix}`;
  return {
    ...commonVariables({ ...options, shutdownMs: serviceDrainMs }),
    DATABASE_URL: address(['postgres', 'postgresql'])({
      readFrom: [{ name: ownName }, { name: 'DATABASE_URL', derive: ownDatabase(service) }],
      desc: `The PostgreSQL database; with DATABASE_URL alone, the database “${service.toLowerCase()}” of that server`,
      example: 'postgres://user:password@host:5432/database',
      secret: true,
    }),
    DATABASE_DIRECT_URL: address(['postgres', 'postgresql'])({
      readFrom: [
        { name: `DATABASE_DIRECT_URL_${suffix}` },
        { name: 'DATABASE_DIRECT_URL', derive: sameDatabase(ownName, service) },
      ],
      optional: true,
      desc: 'The same database and role without a connection pooler in between, for migrations and the lock that chooses which process handles events; without it, the other address is used',
      example: 'postgres://user:password@host:5432/database',
      secret: true,
    }),
    MIGRATION_DATABASE_URL: address(['postgres', 'postgresql'])({
      readFrom: [
        { name: `MIGRATION_DATABASE_URL_${suffix}` },
        { name: 'MIGRATION_DATABASE_URL', derive: sameDatabase(ownName, service) },
      ],
      optional: true,
      desc: 'The same database without a pooler, by the role that owns its tables, for migrations; the role of the other addresses is then given their rows alone. Without it, that role migrates',
      example: 'postgres://owner:password@host:5432/database',
      secret: true,
    }),
    DATABASE_POOL_SIZE: integer({
      default: 20,
      min: 2,
      max: 500,
      desc: 'Most database connections of one process',
    }),
    DEAD_LETTER_DAYS: integer({
      default: 30,
      min: 1,
      desc: 'For how many days events that were given up stay listed after they were retried; those that were not stay',
    }),
    RUN_MIGRATIONS: flag({
      default: false,
      desc: 'Bring the database up to date at start, before anything is served',
    }),
  } satisfies Variables;
}

export interface GatewayVariablesOptions extends CommonVariablesOptions {
  /** Default of PORT. */
  port?: number;
}

/** The variables that every gateway has. */
export function gatewayVariables(options: GatewayVariablesOptions = {}) {
  return {
    ...commonVariables(options),
    PORT: port({ default: options.port ?? 8000, desc: 'Where clients are served' }),
    HOST: text({
      defaultFrom: (environment) => (isLocal(environment) ? '127.0.0.1' : '0.0.0.0'),
      defaultText: '0.0.0.0; 127.0.0.1 in the local profile',
      desc: 'The address that PORT is bound to',
    }),
    ALLOWED_ORIGINS: list({
      default: [],
      desc: 'Origins of web pages that may call the API and open WebSockets, besides PUBLIC_URL',
    }),
    SHUTDOWN_DELAY_MS: integer({
      defaultFrom: (environment) => (isLocal(environment) ? 1000 : 5000),
      defaultText: '5000; 1000 in the local profile',
      max: 60_000,
      desc: 'How often the load balancer looks whether a gateway is ready, in milliseconds, times the looks that it needs: a stopping one still takes requests for so long and half of it again',
    }),
  } satisfies Variables;
}

/** The configuration that the kit needs of any app. */
export type AppConfig = Environment<ReturnType<typeof commonVariables>>;
export type ServiceConfig = Environment<ReturnType<typeof serviceVariables>>;
export type GatewayConfig = Environment<ReturnType<typeof gatewayVariables>>;

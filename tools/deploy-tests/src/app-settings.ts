import { freePort, type AppName, isGateway, variablePart } from '@mentorhub/local-system';

/**
 * What the apps need to start in the production profile beside their ports, the addresses of NATS and of their database.
 * Each app takes what it knows of.
 */
export const productionSettings: Readonly<Record<string, string>> = {
  PUBLIC_URL: 'http://localhost:8000',
  TRUSTED_PROXIES: 'loopback',
  SECRET_KEY: 'a key of at least 32 characters, for tests',
  MAIL_TRANSPORT: 'sendgrid',
  MAIL_FROM: 'MentorHub <no-reply@mentorhub.example>',
  SENDGRID_API_KEY: 'no key',
  SANDBOX_PAYMENTS_IN_PRODUCTION: 'yes',
};

/** Where one process of an app listens. Services have no PORT and take no notice of it. */
export interface AppPorts {
  PORT: string;
  MANAGEMENT_PORT: string;
}

export async function freePorts(): Promise<AppPorts> {
  return { PORT: String(await freePort()), MANAGEMENT_PORT: String(await freePort()) };
}

/** The address of the database, for the apps that have one. */
export function databaseSettings(app: AppName, url: string | undefined): Record<string, string> {
  if (isGateway(app)) return {};
  if (url === undefined) throw new Error(`${app} has no database.`);
  return { [`DATABASE_URL_${variablePart(app)}`]: url };
}

import {
  choice,
  ConfigurationError,
  type Environment,
  integer,
  type RawEnvironment,
  readEnvironment,
  serviceVariables,
} from '@mentorhub/service-kit';

export const variables = {
  ...serviceVariables('PAYMENTS', { managementPort: 8015 }),
  PAYMENT_PROVIDER: choice(['sandbox'])({
    default: 'sandbox',
    desc: 'Who takes the money; `sandbox` moves none, and the payer chooses how a payment ends',
  }),
  PAYMENT_PROVIDER_TIMEOUT_MS: integer({
    default: 3000,
    min: 100,
    max: 4500,
    desc: 'How long one call to the payment provider may take, in milliseconds; a request ends after 5000',
  }),
  SANDBOX_PAYMENTS_IN_PRODUCTION: choice(['yes', 'no'])({
    default: 'no',
    desc: 'Allows the sandbox provider, which takes no money, when NODE_ENV is `production`',
  }),
};
export type PaymentsConfig = Environment<typeof variables>;

/**
 * @throws ConfigurationError for bad variables, and for sandbox payments where real ones are expected: with
 *   `NODE_ENV=production` outside of the local profile
 */
export function readConfig(environment: RawEnvironment): PaymentsConfig {
  const config = readEnvironment(environment, variables);
  if (
    config.PAYMENT_PROVIDER === 'sandbox' &&
    config.NODE_ENV === 'production' &&
    config.PROFILE !== 'local' &&
    config.SANDBOX_PAYMENTS_IN_PRODUCTION !== 'yes'
  ) {
    throw new ConfigurationError([
      'PAYMENT_PROVIDER=sandbox takes no money: sessions would be given away. If that is what you want, set SANDBOX_PAYMENTS_IN_PRODUCTION to yes.',
    ]);
  }
  return config;
}

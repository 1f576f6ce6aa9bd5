import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const environment = {
  DATABASE_URL: 'postgres://user@localhost/x',
  NATS_URL: 'nats://localhost',
  PUBLIC_URL: 'https://mentorhub.example',
};

describe('the configuration of payments', () => {
  it('refuses sandbox payments in production', () => {
    expect(() => readConfig({ ...environment, NODE_ENV: 'production' })).toThrow(
      /SANDBOX_PAYMENTS_IN_PRODUCTION/,
    );
  });

  it('allows them there when a variable permits it', () => {
    const config = readConfig({ ...environment, SANDBOX_PAYMENTS_IN_PRODUCTION: 'yes' });
    expect(config.PAYMENT_PROVIDER).toBe('sandbox');
  });

  it.each([{ PROFILE: 'local' }, { NODE_ENV: 'development' }])('allows them with %o', (setting) => {
    expect(readConfig({ ...environment, ...setting }).PAYMENT_PROVIDER).toBe('sandbox');
  });
});

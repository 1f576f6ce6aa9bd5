import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const production = {
  PROFILE: 'production',
  NATS_URL: 'nats://nats:4222',
  PUBLIC_URL: 'https://mentorhub.example',
};

describe('the time that a shutdown takes', () => {
  it('fits by default, and is refused where it does not', () => {
    const config = { ...production, TRUSTED_PROXIES: 'none' };
    expect(readConfig(config)).toMatchObject({
      SHUTDOWN_DELAY_MS: 5000,
      SHUTDOWN_TIMEOUT_MS: 20_000,
    });
    expect(() => readConfig({ ...config, SHUTDOWN_DELAY_MS: '10002' })).toThrow(
      /SHUTDOWN_TIMEOUT_MS is 20000, but a shutdown may take 20003 ms: SHUTDOWN_DELAY_MS and half of it \(15003 ms\) \+ requests/,
    );
  });
});

describe('the proxies whose X-Forwarded-For is believed', () => {
  it('must be named outside of the local profile', () => {
    expect(() => readConfig(production)).toThrow(/TRUSTED_PROXIES is missing/);
    // Only PROFILE makes the profile local.
    expect(() => readConfig({ ...production, PROFILE: '', NODE_ENV: 'development' })).toThrow(
      /TRUSTED_PROXIES is missing/,
    );
    expect(readConfig({ ...production, PROFILE: ' local ' }).TRUSTED_PROXIES).toEqual(['loopback']);
  });

  it.each([
    ['none', []],
    ['loopback', ['loopback']],
    ['10.0.0.0/8, 2001:db8::/32,192.0.2.1', ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1']],
  ])('may be %s', (listed, proxies) => {
    expect(readConfig({ ...production, TRUSTED_PROXIES: listed }).TRUSTED_PROXIES).toEqual(proxies);
  });

  it.each(['everybody', '10.0.0.0/33', '10.0.0.0/8/8', 'none, loopback', '10.0.0.0/'])(
    'are refused when they are not addresses: %s',
    (listed) => {
      expect(() => readConfig({ ...production, TRUSTED_PROXIES: listed })).toThrow(
        /TRUSTED_PROXIES has/,
      );
    },
  );
});

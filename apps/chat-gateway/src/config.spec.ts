import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const production = { NATS_URL: 'nats://nats:4222', PUBLIC_URL: 'https://mentorhub.example' };

describe('the time that a shutdown takes', () => {
  it('fits by default, in production and on one machine', () => {
    expect(readConfig(production)).toMatchObject({
      SHUTDOWN_DELAY_MS: 5000,
      WS_DRAIN_SECONDS: 20,
      SHUTDOWN_TIMEOUT_MS: 40_000,
    });
    expect(readConfig({ ...production, PROFILE: 'local' })).toMatchObject({
      SHUTDOWN_DELAY_MS: 1000,
      WS_DRAIN_SECONDS: 0,
    });
  });

  it('is refused when it exceeds SHUTDOWN_TIMEOUT_MS', () => {
    expect(() => readConfig({ ...production, WS_DRAIN_SECONDS: '30' })).toThrow(
      'SHUTDOWN_TIMEOUT_MS is 40000, but a shutdown may take 45500 ms: SHUTDOWN_DELAY_MS and half of it (7500 ms) + ' +
        'WS_DRAIN_SECONDS (30000 ms) + last frames and goodbyes (8000 ms). Raise SHUTDOWN_TIMEOUT_MS to at least 45500',
    );
  });
});

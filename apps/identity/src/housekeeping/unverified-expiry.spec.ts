import type { Outbox } from '@mentorhub/messaging';
import type { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Revocation } from '../sessions/revocation.js';
import { UnverifiedExpiry } from './unverified-expiry.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('looks for accounts that were not verified in time every ten minutes, until the service stops', async () => {
  const run = vi.fn<() => Promise<unknown>>().mockResolvedValue({ taken: 0, ended: [] });
  const expiry = new UnverifiedExpiry(
    { run } as unknown as Transactions,
    { announce: () => undefined } as unknown as Revocation,
    {} as Outbox,
    new Clock(),
  );
  expiry.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(30 * 60_000);
  expect(run).toHaveBeenCalledTimes(3);
  await expiry.onModuleDestroy();
  await vi.advanceTimersByTimeAsync(30 * 60_000);
  expect(run).toHaveBeenCalledTimes(3);
});

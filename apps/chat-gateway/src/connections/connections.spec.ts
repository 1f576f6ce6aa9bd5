import type { AccessTokens, RevokedSessions } from '@mentorhub/access-token';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { readConfig } from '../config.js';
import { Connection } from '../delivery/connection.js';
import type { Feeds } from '../delivery/feeds.js';
import { Connections } from './connections.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('pings every socket once in an interval, and never many in one tick', async () => {
  const config = readConfig({ PROFILE: 'local', NATS_URL: 'nats://localhost:4222' });
  const compareHeads = vi.fn<() => void>();
  const connections = new Connections(
    { compareHeads } as unknown as Feeds,
    { onRevoked: () => () => undefined } as unknown as RevokedSessions,
    { onKeysWithdrawn: () => () => undefined } as unknown as AccessTokens,
    config,
  );
  const pinged: number[] = [];
  for (let number = 0; number < 200; number++) {
    const socket = { ping: () => pinged.push(number) };
    connections.add(new Connection(socket as unknown as WebSocket, new PassThrough()));
  }
  connections.onModuleInit();

  let most = 0;
  for (let elapsed = 0; elapsed < 25_000; elapsed += 100) {
    const before = pinged.length;
    await vi.advanceTimersByTimeAsync(100);
    most = Math.max(most, pinged.length - before);
  }

  expect(pinged.toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: 200 }, (_, index) => index),
  );
  expect(most).toBe(4);
  expect(compareHeads).toHaveBeenCalledTimes(1);
  connections.onApplicationShutdown();
});

import { createServer, type AddressInfo } from 'node:net';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventStream } from '../src/events/event-stream.js';
import { NATS_CONNECTION } from '../src/index.js';
import {
  streamReplicas,
  streamReplicasInSync,
  streamReplicasMissing,
} from '../src/events/metrics.js';
import { type Fixture, startService } from './fixture.js';

type Nats = Awaited<ReturnType<typeof testNats>>;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Servers that keep their streams together. */
async function natsCluster(size: number): Promise<Nats[]> {
  const ports = await Promise.all(Array.from({ length: size }, freePort));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  return await Promise.all(
    ports.map((clusterPort, index) =>
      testNats({
        config: (port, storeDirectory) => `
          listen: "127.0.0.1:${port}"
          server_name: "n${index}"
          jetstream { store_dir: "${storeDirectory}" }
          cluster { name: "c", listen: "127.0.0.1:${clusterPort}", routes: [${routes}] }`,
      }),
    ),
  );
}

async function valueOf(gauge: typeof streamReplicas): Promise<number | undefined> {
  return (await gauge.get()).values[0]?.value;
}

describe('the replicas of the event stream', () => {
  let servers: Nats[];
  let database: TestDatabase;
  let identity: Fixture;

  beforeEach(async () => {
    database = await testDatabase('replicas');
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await identity.close();
    await Promise.all(servers.map((server) => server.stop()));
    await database.drop();
  });

  const startIdentity = async (replicas?: number): Promise<void> => {
    identity = await startService({
      databaseUrl: database.url,
      directUrl: database.directUrl,
      natsUrl: servers[0]?.url ?? '',
      service: 'identity',
      options: { streamReplicas: replicas },
    });
  };

  const ensure = () => identity.app.get(EventStream).ensure();

  async function streamConfig(): Promise<StreamConfig> {
    const { streams } = await jetstreamManager(identity.app.get(NATS_CONNECTION));
    return (await streams.info('EVENTS')).config;
  }

  it('are as many as can be had: identity serves with fewer, logs it once, and tries again', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    servers = [await testNats()];
    await startIdentity(3);
    await ensure();
    await ensure();
    expect((await streamConfig()).num_replicas).toBe(1);
    expect(await valueOf(streamReplicas)).toBe(1);
    expect(await valueOf(streamReplicasMissing)).toBe(2);
    const said = warn.mock.calls
      .map(([text]) => String(text))
      .filter((text) => text.includes('EVENT_STREAM_REPLICAS'));
    expect(said).toEqual([expect.stringContaining('has 1 of 3 replicas')]);
  });

  it('grow to what is wanted, and are never fewer than an operator made them', async () => {
    servers = await natsCluster(3);
    await startIdentity();
    await expect
      .poll(
        () =>
          ensure().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
    expect((await streamConfig()).num_replicas).toBe(1);
    await identity.close();

    await startIdentity(3);
    await ensure();
    expect((await streamConfig()).num_replicas).toBe(3);
    expect(await valueOf(streamReplicasMissing)).toBe(0);
    const inSync = async (): Promise<number | undefined> => {
      await ensure();
      return await valueOf(streamReplicasInSync);
    };
    await expect.poll(inSync, { timeout: 20_000 }).toBe(3);
    // A server that goes takes its copy along; the stream still wants three.
    await servers[2]?.stop();
    await expect.poll(() => inSync().catch(() => undefined), { timeout: 20_000 }).toBe(2);
    expect(await valueOf(streamReplicas)).toBe(3);
    await identity.close();

    await startIdentity();
    await ensure();
    expect((await streamConfig()).num_replicas).toBe(3);
    expect(await valueOf(streamReplicas)).toBe(3);
  }, 60_000);
});

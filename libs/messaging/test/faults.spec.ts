import { cp, rename, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { tcpProxy, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventWorker, NATS_CONNECTION, type ServiceMessagingOptions } from '../src/index.js';
import { endChildren, startChild } from './child/start.js';
import { EffectsController, effectsOf, range, recorded, addEvents } from './effects.js';
import { type Fixture, type FixtureSettings, openDatabase, startService } from './fixture.js';
import type { DataSource } from 'typeorm';

async function recordedSorted(database: DataSource, handler: string): Promise<number[]> {
  return (await recorded(database, handler)).toSorted((a, b) => a - b);
}

/** How many events wait in the outbox. */
async function unpublished(database: DataSource): Promise<number> {
  const rows: unknown[] = await database.query('SELECT 1 FROM outbox WHERE published_at IS NULL');
  return rows.length;
}

/** What the metric says of the oldest event that waits for the relay, in seconds. */
async function outboxAge(): Promise<number | undefined> {
  const metric = await register.getSingleMetric('outbox_oldest_unpublished_seconds')?.get();
  return metric?.values[0]?.value;
}

describe('no event is lost and no effect happens twice', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  /** Where the nats-server keeps its stream. */
  let store: string;
  let testDb: TestDatabase;
  let database: DataSource;
  let settings: FixtureSettings;
  let services: Fixture[];

  beforeEach(async () => {
    [nats, testDb] = await Promise.all([
      testNats({
        config: (port, storeDirectory) => {
          store = storeDirectory;
          return `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${storeDirectory}" }\n`;
        },
      }),
      testDatabase('faults'),
    ]);
    database = await openDatabase(testDb.directUrl);
    settings = {
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      controllers: [EffectsController],
    };
    services = [];
  });

  afterEach(async () => {
    endChildren();
    await Promise.all(services.map((service) => service.close()));
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start(options?: ServiceMessagingOptions): Promise<Fixture> {
    const service = await startService({ ...settings, options });
    services.push(service);
    return service;
  }

  async function expectOnce(numbers: number[], timeout = 15_000): Promise<void> {
    for (const handler of ['recordThing', 'second']) {
      await expect
        .poll(() => recordedSorted(database, handler), { timeout, interval: 100 })
        .toEqual(numbers);
    }
    await expect.poll(() => unpublished(database)).toBe(0);
  }

  it('when the relay is killed between publish and mark', async () => {
    const child = await startChild({ ...settings, dieBetween: 'publish-mark' });
    await addEvents(
      database,
      range(0, 20).map((n) => ['1', { n }]),
    );
    expect(await child.ended).toBe('SIGKILL');
    expect(await unpublished(database)).toBe(20);
    await start();
    await expectOnce(range(0, 20));
  });

  it('when the consumer is killed between commit and acknowledgement', async () => {
    const child = await startChild({ ...settings, dieBetween: 'commit-ack' });
    await addEvents(
      database,
      range(0, 20).map((n) => ['1', { n }]),
    );
    expect(await child.ended).toBe('SIGKILL');
    const before = await effectsOf(database);
    expect(before.length).toBeGreaterThan(0);
    await start();
    await addEvents(database, [['1', { n: 20 }]]);
    await expectOnce(range(0, 21));
  });

  it('when the active process is killed: another one takes over within two seconds', async () => {
    const child = await startChild(settings);
    await addEvents(database, [['1', { n: 0 }]]);
    await expectOnce([0]);
    const standby = await start();
    expect(standby.app.get(EventWorker).isLeader).toBe(false);
    child.kill();
    await child.ended;
    const killedAt = Date.now();
    await addEvents(database, [['1', { n: 1 }]]);
    await expectOnce([0, 1]);
    expect(Date.now() - killedAt).toBeLessThan(2000);
    expect(standby.app.get(EventWorker).isLeader).toBe(true);
  });

  it('when two replicas run: one relays, and hands over when it is stopped', async () => {
    const first = await start();
    await expect.poll(() => first.app.get(EventWorker).isLeader).toBe(true);
    const second = await start();
    expect(second.app.get(EventWorker).isLeader).toBe(false);
    await addEvents(
      database,
      range(0, 50).map((n) => [String(n % 3), { n }]),
    );
    await first.close();
    services = [second];
    await addEvents(
      database,
      range(50, 100).map((n) => [String(n % 3), { n }]),
    );
    await expectOnce(range(0, 100));
    expect(second.app.get(EventWorker).isLeader).toBe(true);
  });

  it('when PostgreSQL drops all connections of the service', async () => {
    await start();
    await addEvents(database, [['1', { n: 0 }]]);
    await expectOnce([0]);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    await expect
      .poll(
        () =>
          addEvents(database, [['1', { n: 1 }]]).then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    await expectOnce([0, 1]);
  });

  it('when PostgreSQL is silent on the connection of the leader: it stops, and says for how long', async () => {
    const proxy = await tcpProxy(testDb.directUrl);
    const service = await startService({ ...settings, directUrl: proxy.url });
    services.push(service);
    const isLeader = () => service.app.get(EventWorker).isLeader;
    await addEvents(database, [['1', { n: 0 }]]);
    await expectOnce([0]);
    expect(isLeader()).toBe(true);

    proxy.silence();
    await expect.poll(isLeader, { timeout: 8000 }).toBe(false);
    await addEvents(database, [['1', { n: 1 }]]);
    await expect.poll(outboxAge, { timeout: 8000 }).toBeGreaterThan(1);
    expect(await unpublished(database)).toBe(1);

    // As PostgreSQL does by itself for a peer that vanished; the proxy is still there.
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND granted AND datname = current_database()`,
    );
    proxy.forward();
    await expectOnce([0, 1]);
    expect(isLeader()).toBe(true);
    await expect.poll(outboxAge).toBe(0);
    await service.close();
    services = [];
    await proxy.close();
  }, 40_000);

  it('when nats-server is killed and its store wiped while events flow', async () => {
    await start();
    let added = 0;
    const flowing = new AbortController();
    const flow = (async () => {
      while (!flowing.signal.aborted) {
        await addEvents(
          database,
          range(added, added + 10).map((n) => [String(n % 7), { n }]),
        );
        added += 10;
        await delay(10);
      }
    })();
    await expect.poll(async () => (await recorded(database)).length).toBeGreaterThan(100);
    for (const wipe of [true, false, true]) {
      await nats.kill();
      await expect.poll(() => unpublished(database), { timeout: 5000 }).toBeGreaterThan(20);
      await nats.restart({ wipe });
      const before = (await recorded(database)).length;
      await expect
        .poll(async () => (await recorded(database)).length, { timeout: 10_000 })
        .toBeGreaterThan(before + 100);
    }
    flowing.abort();
    await flow;
    expect(added).toBeGreaterThan(300);
    await expectOnce(range(0, added), 20_000);
  });

  it('when the stream is full: events wait until there is room', async () => {
    const service = await start({ streamMaxBytes: 20_000 });
    await addEvents(
      database,
      range(0, 100).map((n) => [String(n % 3), { n }]),
    );
    await expect.poll(() => unpublished(database)).toBeLessThan(100);
    const { streams } = await jetstreamManager(service.app.get(NATS_CONNECTION));
    await expect
      .poll(async () => {
        const { state } = await streams.info('EVENTS');
        return state.messages + (await unpublished(database));
      })
      .toBe(100);
    const waiting = await unpublished(database);
    expect(waiting).toBeGreaterThan(0);
    await expect.poll(() => recorded(database)).toEqual(range(0, 100 - waiting));
    await streams.purge('EVENTS');
    await expect.poll(() => recorded(database), { timeout: 5000 }).toEqual(range(0, 100));
    await expectOnce(range(0, 100));
  });

  it('when the store of nats-server is replaced by an older copy', async () => {
    const service = await start();
    await addEvents(
      database,
      range(0, 10).map((n) => ['1', { n }]),
    );
    await expectOnce(range(0, 10));
    const { streams } = await jetstreamManager(service.app.get(NATS_CONNECTION));
    /** How many events the stream has; none while it cannot be asked. */
    const stored = (): Promise<number> =>
      streams.info('EVENTS').then(
        ({ state }) => state.messages,
        () => 0,
      );
    await nats.kill();
    const copy = `${store}-copy`;
    await cp(store, copy, { recursive: true });
    await nats.restart({ wipe: false });
    await addEvents(
      database,
      range(10, 30).map((n) => ['1', { n }]),
    );
    await expectOnce(range(0, 30));

    await nats.kill();
    await rm(store, { recursive: true });
    await rename(copy, store);
    await nats.restart({ wipe: false });
    await expect.poll(stored, { timeout: 15_000 }).toBe(30);
    await addEvents(database, [['1', { n: 30 }]]);
    await expectOnce(range(0, 31));
    expect(await stored()).toBe(31);
  }, 60_000);

  it('when the stream is deleted under a running service', async () => {
    const service = await start();
    await addEvents(
      database,
      range(0, 10).map((n) => ['1', { n }]),
    );
    await expectOnce(range(0, 10));
    const manager = await jetstreamManager(service.app.get(NATS_CONNECTION));
    await manager.streams.delete('EVENTS');
    await addEvents(
      database,
      range(10, 20).map((n) => ['1', { n }]),
    );
    await expectOnce(range(0, 20));
  });
});

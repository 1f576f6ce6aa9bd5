import {
  type TestDatabase,
  testDatabase,
  testNats,
  type TestNatsOptions,
} from '@mentorhub/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { operations } from '@mentorhub/contracts';
import type { NatsConnection } from '@nats-io/transport-node';
import { register } from 'prom-client';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventConsumer } from '../src/events/event-consumer.js';
import { NotLeaderError } from '../src/events/leader-lock.js';
import { OutboxRelay } from '../src/events/outbox-relay.js';
import { NATS_CONNECTION, NatsConnectionProvider } from '../src/index.js';
import { addEvents, EffectsController, range, recorded, thingHappened } from './effects.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

/** The relay is to look itself. */
const hasUnpublished = (): Promise<boolean> => Promise.resolve(true);

const admin = { user_id: 1, roles: ['admin' as const], session_id: 1 };

const settings = (more: string) => ({
  config: (port: number, directory: string) =>
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(directory)} }\n${more}`,
});

async function countOfParked(reason: string): Promise<number> {
  const metric = await register.getSingleMetric('events_parked_total')?.get();
  return metric?.values.find(({ labels }) => labels['reason'] === reason)?.value ?? 0;
}

describe('the relay', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let testDb: TestDatabase;
  let database: DataSource;
  let service: Fixture | undefined;

  beforeEach(async () => {
    testDb = await testDatabase('relay');
    database = await openDatabase(testDb.directUrl);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await service?.close();
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start({
    events = true,
    ...options
  }: TestNatsOptions & { events?: boolean } = {}): Promise<Fixture> {
    nats = await testNats(options);
    service = await startService({
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      options: { events },
      controllers: [EffectsController],
    });
    return service;
  }

  const parked = () =>
    database.query('SELECT subject, parked_because FROM outbox WHERE parked_at IS NOT NULL');

  async function addRow(subject: string, aggregate: string, payload: object): Promise<void> {
    await database.query(
      `INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload)
       VALUES (gen_random_uuid(), $1, $2, $3, 1, $4)`,
      [subject, thingHappened.type, aggregate, JSON.stringify(payload)],
    );
  }

  /**
   * Adds published events, each the only one of its aggregate, that all together take longer to be queued again than a
   * statement may: two milliseconds for every tenth, and one second in all.
   */
  async function addSlowlyRequeued(count: number): Promise<void> {
    await database.query(`
      INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, published_at)
      SELECT gen_random_uuid(), 'event.mentorship.mentor.seen', 'mentorship.mentor.seen', n, 1, '{}', now()
      FROM generate_series(1, ${count}) AS n;
      CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$;
      CREATE TRIGGER slow BEFORE UPDATE ON outbox FOR EACH ROW
        WHEN (NEW.published_at IS NULL AND NEW.id % 10 = 0) EXECUTE FUNCTION take_time();
      DO $$ BEGIN
        EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = 1000', current_database());
      END $$;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`);
  }

  it('lets no event pass an earlier one of its aggregate that was not confirmed', async () => {
    const { app } = await start();
    const provider = app.get(NatsConnectionProvider);
    const publish = provider.publish.bind(provider);
    let dropped = 0;
    vi.spyOn(provider, 'publish').mockImplementation((subject, payload, options) => {
      if (String(payload).includes('"n":5}') && dropped++ === 0) throw new Error('lost');
      publish(subject, payload, options);
    });
    await addEvents(
      database,
      range(0, 40).map((n) => [String(n % 2), { n }]),
    );
    await expect.poll(() => recorded(database)).toHaveLength(40);
    expect(dropped).toBeGreaterThan(1);
    const { streams } = await jetstreamManager(app.get(NATS_CONNECTION));
    const stored = await Promise.all(
      range(1, 41).map((seq) => streams.getMessage('EVENTS', { seq })),
    );
    const numbers = stored.map((message) => message?.json<{ data: { n: number } }>().data.n ?? -1);
    for (const parity of [0, 1]) {
      expect(numbers.filter((n) => n % 2 === parity)).toEqual(
        range(0, 20).map((n) => 2 * n + parity),
      );
    }
  });

  it('of a former leader marks nothing as published', async () => {
    const { app } = await start({ events: false });
    const relay = app.get(OutboxRelay);
    const { signal } = new AbortController();
    const unpublished = async (): Promise<number> => {
      const [row] = await database.query<{ count: number }[]>(
        'SELECT count(*)::int AS count FROM outbox WHERE published_at IS NULL',
      );
      return row!.count;
    };
    await addEvents(database, [['7', { n: 1 }]]);
    await database.query('UPDATE event_leadership SET term = 2');
    await expect(relay.pass('1', signal, hasUnpublished)).rejects.toThrow(NotLeaderError);
    expect(await unpublished()).toBe(1);
    await relay.pass('2', signal, hasUnpublished);
    expect(await unpublished()).toBe(0);
  });

  describe('with large events', () => {
    const eventBytes = 800_000;
    const budget = 8 * 1024 ** 2;
    const [fewest, most] = [Math.floor(budget / eventBytes), Math.ceil(budget / eventBytes)];

    /** The text of each of them compresses well or, as random hexadecimal digits, badly. */
    async function addLarge(count: number, text: 'repeated' | 'random'): Promise<void> {
      await database.query(
        `INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload)
         SELECT gen_random_uuid(), $1, $2, '7', 1, json_build_object('n', n, 'text', CASE WHEN $5
           THEN repeat('x', $4) ELSE (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, $4 / 32)) END)
         FROM generate_series(1, $3) AS n`,
        [thingHappened.subject, thingHappened.type, count, eventBytes, text === 'repeated'],
      );
    }

    it.each(['repeated', 'random'] as const)(
      'holds only as many of %s text in memory as fit into 8 MiB, and goes on at once',
      async (text) => {
        const { app } = await start({ events: false });
        const relay = app.get(OutboxRelay);
        await addLarge(25, text);
        const passes: { published: number; more: boolean }[] = [];
        do {
          const { published, more } = await relay.pass(
            '0',
            new AbortController().signal,
            hasUnpublished,
          );
          passes.push({ published, more });
        } while (passes.at(-1)?.more === true);
        expect(passes.map(({ published }) => published)).toEqual([most, most, 25 - 2 * most]);
        expect(await database.query('SELECT 1 FROM outbox WHERE published_at IS NULL')).toEqual([]);
      },
      30_000,
    );

    it('fetches only as many ahead of its handlers as fit into 8 MiB, and handles all in their order', async () => {
      const { app } = await start();
      const blocker = database.createQueryRunner();
      await blocker.startTransaction();
      await blocker.query('LOCK TABLE effects IN ACCESS EXCLUSIVE MODE');
      await addLarge(40, 'repeated');
      const consumer = app.get(EventConsumer);
      const fetched = (): number => consumer['unacknowledged'].size;
      await expect.poll(fetched, { timeout: 20_000 }).toBeGreaterThanOrEqual(fewest);
      await expect
        .poll(() => database.query('SELECT 1 FROM outbox WHERE published_at IS NULL'), {
          timeout: 20_000,
        })
        .toEqual([]);
      // What the server has sent by now has arrived with its answer.
      await app.get<NatsConnection>(NATS_CONNECTION).flush();
      expect(fetched()).toBe(most);

      await blocker.rollbackTransaction();
      await blocker.release();
      await expect.poll(() => recorded(database), { timeout: 30_000 }).toEqual(range(1, 41));
      expect(await recorded(database, 'second')).toEqual(range(1, 41));
    }, 60_000);
  });

  it('parks an event that is larger than NATS takes, and publishes it when an operator requests it', async () => {
    const { app, client } = await start(settings('max_payload: 65536'));
    const before = await countOfParked('size');
    await addRow(thingHappened.subject, '7', { n: 1, text: 'x'.repeat(65_400) });
    await addEvents(database, [
      ['7', { n: 2 }],
      ['8', { n: 3 }],
    ]);
    await expect.poll(() => recorded(database)).toHaveLength(2);
    await expect
      .poll(parked)
      .toMatchObject([{ parked_because: expect.stringContaining('max_payload') as string }]);
    expect(await countOfParked('size')).toBe(before + 1);
    expect(app.get(NatsConnectionProvider).health()).toEqual({ connected: true });

    await database.query(
      `UPDATE outbox SET payload = '{"n":1}' WHERE parked_at IS NOT NULL`, // as if the limit had been raised
    );
    await client.request(operations('mentorship').outbox.republish, admin, {
      from: new Date(Date.now() - 60_000).toISOString(),
      to: new Date(Date.now() + 60_000).toISOString(),
    });
    await expect
      .poll(async () => (await recorded(database)).toSorted((a, b) => a - b))
      .toEqual([1, 2, 3]);
    expect(await parked()).toEqual([]);
  });

  it.each([
    ['has a space', 'event.mentorship.thing. happened'],
    ['is longer than a line of the protocol', `event.mentorship.${'x'.repeat(5000)}`],
  ])('parks an event whose subject %s', async (_what, subject) => {
    await start();
    await addRow(subject, '7', { n: 1 });
    await addEvents(database, [['7', { n: 2 }]]);
    await expect.poll(() => recorded(database)).toEqual([2]);
    await expect.poll(parked).toMatchObject([{ subject }]);
  });

  it('publishes again what a lost stream had, though one statement could not', async () => {
    const { app } = await start();
    const { streams } = await jetstreamManager(app.get(NATS_CONNECTION));
    await addEvents(database, [['7', { n: 1 }]]);
    await expect.poll(() => recorded(database)).toEqual([1]);
    await addSlowlyRequeued(6000);
    await nats.kill();
    await nats.restart({ wipe: true });
    const stored = () =>
      streams.info('EVENTS').then(
        ({ state }) => state.messages,
        () => 0,
      );
    await expect.poll(stored, { timeout: 40_000 }).toBe(6001);
    expect(await recorded(database)).toEqual([1]);
  }, 60_000);

  it('publishes a range of events again, though one statement could not', async () => {
    const { client } = await start({ events: false });
    await addSlowlyRequeued(12_000);
    await database.query(`
      UPDATE outbox SET occurred_at = now() - interval '1 day' WHERE id <= 3000;
      UPDATE outbox SET published_at = NULL, parked_at = now(), parked_because = 'too large' WHERE id = 9000`);
    const minuteAgo = new Date(Date.now() - 60_000).toISOString();
    const answer = await client.request(operations('mentorship').outbox.republish, admin, {
      from: minuteAgo,
      to: new Date(Date.now() + 60_000).toISOString(),
    });
    expect(answer).toEqual({ events: 9000 });
    expect(
      await database.query(
        'SELECT count(*)::int AS queued, min(id)::int AS first FROM outbox WHERE published_at IS NULL AND parked_at IS NULL',
      ),
    ).toEqual([{ queued: 9000, first: 3001 }]);
  }, 40_000);

  it('parks an event that its NATS user may not publish, without waiting for an answer', async () => {
    await start(
      settings(
        `authorization { users: [ { user: "all", password: "all", permissions: {
           publish: { allow: [">"], deny: ["event.payments.>"] }, subscribe: ">" } } ] }
         no_auth_user: all`,
      ),
    );
    await addEvents(database, [['7', { n: 1 }]]);
    await expect.poll(() => recorded(database)).toEqual([1]);
    const startedAt = performance.now();
    await addRow('event.payments.payment.succeeded', '7', { n: 2 });
    await addEvents(database, [['7', { n: 3 }]]);
    await expect.poll(() => recorded(database)).toEqual([1, 3]);
    expect(performance.now() - startedAt).toBeLessThan(4000);
    await expect.poll(parked).toMatchObject([{ subject: 'event.payments.payment.succeeded' }]);
  });
});

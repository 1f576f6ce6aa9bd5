import { EventEmitter, once } from 'node:events';
import { ApplicationError, event, type EventEnvelope } from '@mentorhub/contracts';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { Controller, type Type } from '@nestjs/common';
import { jetstreamManager } from '@nats-io/jetstream';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EventWorker,
  NATS_CONNECTION,
  OnEvent,
  type ServiceMessagingOptions,
} from '../src/index.js';
import { addEvents, range, recorded, type Thing, thingHappened } from './effects.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

const paid = event<Thing>('payments.payment.succeeded');
const refunded = event<Thing>('payments.payment.refunded');

/** What the handlers meet before they do their work; each test says. */
let before: (handler: string, fact: EventEnvelope<Thing>, tx: EntityManager) => unknown;

async function record(
  handler: string,
  fact: EventEnvelope<Thing>,
  tx: EntityManager,
): Promise<void> {
  await before(handler, fact, tx);
  await tx.query('INSERT INTO effects (event_id, handler, data) VALUES ($1, $2, $3)', [
    fact.id,
    'bookings',
    JSON.stringify(fact.data),
  ]);
}

/** Two handlers of one aggregate whose effects must not change places. */
@Controller()
class BookingsController {
  @OnEvent([paid, thingHappened])
  markPaid(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('markPaid', fact, tx);
  }

  @OnEvent(refunded)
  noteRefund(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('noteRefund', fact, tx);
  }
}

/** Hides that one of its statements failed. */
@Controller()
class HidingController {
  @OnEvent(thingHappened)
  async hide(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    await record('hide', fact, tx);
    await tx.query('SELECT 1 / 0').catch(() => undefined);
  }
}

/** As `classifyDatabaseError` does. */
function classify(error: unknown): ApplicationError | undefined {
  return /terminat|not queryable|already released|ECONN/i.test(String(error))
    ? new ApplicationError('SERVICE_UNAVAILABLE', 'The database is away.', { cause: error })
    : undefined;
}

/** Has `around` run the transactions of a service. */
function aroundTransactions(
  { database }: Fixture,
  around: (run: () => Promise<unknown>) => Promise<void>,
): void {
  const transaction = database.transaction.bind(database);
  database.transaction = (async (work: (tx: EntityManager) => Promise<unknown>) => {
    let result: unknown;
    await around(async () => (result = await transaction(work)));
    return result;
  }) as DataSource['transaction'];
}

describe('the events of an aggregate', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let testDb: TestDatabase;
  let database: DataSource;
  let services: Fixture[];

  beforeEach(async () => {
    [nats, testDb] = await Promise.all([testNats(), testDatabase('order')]);
    database = await openDatabase(testDb.directUrl);
    services = [];
    before = () => undefined;
  });

  afterEach(async () => {
    await Promise.all(services.map((service) => service.close()));
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start(
    options: ServiceMessagingOptions = {},
    controller: Type = BookingsController,
  ): Promise<Fixture> {
    const service = await startService({
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      controllers: [controller],
      options: { classify, ...options },
    });
    services.push(service);
    return service;
  }

  const bookings = () => recorded(database, 'bookings');
  const retries = () =>
    database.query('SELECT attempts, retry_at IS NULL AS waits FROM inbox_retries ORDER BY id');

  it('wait for one that a handler failed on, whichever handler they are for', async () => {
    let broken = true;
    before = (handler) => {
      if (handler === 'markPaid' && broken) throw new Error('a passing failure');
    };
    await start({ retryDelaysMs: Array<number>(100).fill(200) });
    await addEvents(database, [['7', { n: 1 }]], paid);
    await expect.poll(retries).toMatchObject([{ waits: false }]);
    await addEvents(database, [['7', { n: 2 }]], refunded);
    await addEvents(database, [['8', { n: 3 }]], refunded);
    await expect.poll(bookings).toEqual([3]);
    await expect.poll(retries).toMatchObject([{ waits: false }, { attempts: 0, waits: true }]);
    broken = false;
    await expect.poll(bookings).toEqual([3, 1, 2]);
    // The last handler has run before its transaction commits.
    await expect.poll(retries).toEqual([]);
  });

  it('are handled after one that was dead-lettered', async () => {
    before = (handler) => {
      if (handler === 'markPaid') throw new Error('a lasting failure');
    };
    await start({ retryDelaysMs: [50] });
    await addEvents(database, [['7', { n: 1 }]], paid);
    await addEvents(database, [['7', { n: 2 }]], refunded);
    await expect.poll(bookings).toEqual([2]);
    expect(await database.query('SELECT handler, attempts FROM dead_letters')).toEqual([
      { handler: 'BookingsController.markPaid', attempts: 2 },
    ]);
  });

  it('are stored by the thousands behind one that fails, acknowledged, and handled in their order', async () => {
    let broken = true;
    before = (_, { data }) => {
      if (data.poison && broken) throw new Error('broken');
    };
    const service = await start({ retryDelaysMs: Array<number>(100).fill(300) });
    await addEvents(database, [
      ['7', { n: 0, poison: true }],
      ...range(1, 3000).map((n): [string, Thing] => ['7', { n }]),
    ]);
    const stored = async () => {
      const [row]: { count: number }[] = await database.query(
        'SELECT count(*)::int AS count FROM inbox_retries',
      );
      return row?.count;
    };
    await expect.poll(stored).toBe(3000);
    const { consumers } = await jetstreamManager(service.app.get(NATS_CONNECTION));
    const unacknowledged = async () => {
      let count = 0;
      for await (const consumer of consumers.list('EVENTS')) {
        count += consumer.num_ack_pending + consumer.num_pending;
      }
      return count;
    };
    await expect.poll(unacknowledged).toBe(0);
    broken = false;
    await expect.poll(stored, { timeout: 20_000 }).toBe(0);
    expect(await bookings()).toEqual(range(0, 3000));
  });

  it('use up no attempt while the database is away', async () => {
    let left = 3;
    before = async (_, _fact, tx) => {
      if (left-- > 0) await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
    };
    await start({ retryDelaysMs: [] });
    await addEvents(database, [
      ['7', { n: 1 }],
      ['7', { n: 2 }],
    ]);
    await expect.poll(bookings).toEqual([1, 2]);
    expect(await database.query('SELECT error FROM dead_letters')).toEqual([]);
  });

  it('are given up when a handler cuts its own connection time and again', async () => {
    before = async (_, { data }, tx) => {
      if (data.n === 1) await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
    };
    await start({ retryDelaysMs: [] });
    await addEvents(database, [
      ['7', { n: 1 }],
      ['7', { n: 2 }],
      ['8', { n: 3 }],
    ]);
    await expect
      .poll(async () => (await bookings()).toSorted((a, b) => a - b), { timeout: 15_000 })
      .toEqual([2, 3]);
  });

  it('are given up, not lost, when their handler hides that a statement of it failed', async () => {
    await start({ retryDelaysMs: [] }, HidingController);
    await addEvents(database, [
      ['7', { n: 1 }],
      ['7', { n: 2 }],
    ]);
    const deadLetter = {
      handler: 'HidingController.hide',
      error: expect.stringContaining('use a savepoint') as string,
    };
    await expect
      .poll(() => database.query('SELECT handler, error FROM dead_letters'))
      .toEqual([deadLetter, deadLetter]);
    expect(await bookings()).toEqual([]);
  });

  it('go on when the answer to a commit is lost', async () => {
    const service = await start();
    let lost = 0;
    aroundTransactions(service, async (run) => {
      await run();
      if (lost++ === 0) throw new Error('Connection terminated unexpectedly');
    });
    await addEvents(database, [['7', { n: 1 }]], paid);
    await expect.poll(() => lost).toBeGreaterThan(0);
    await addEvents(database, [['7', { n: 2 }]], refunded);
    await expect.poll(bookings, { timeout: 5000 }).toEqual([1, 2]);
    expect(await database.query('SELECT FROM inbox_retries')).toEqual([]);
  });

  it('are handled by the new leader alone once the former one has lost its lock', async () => {
    const handledBy: string[] = [];
    const first = await start({ ackWaitMs: 30_000 });
    await expect.poll(() => first.app.get(EventWorker).isLeader).toBe(true);
    const second = await start({ ackWaitMs: 30_000 });
    // The first leader has an event in hand, but has not begun its transaction when it loses the lock.
    const gate = new EventEmitter();
    const paused = once(gate, 'open');
    let inHand = false;
    let outcome: unknown;
    for (const [name, service] of Object.entries({ first, second })) {
      aroundTransactions(service, async (run) => {
        if (name === 'first') {
          inHand = true;
          await paused;
        }
        try {
          await run();
          handledBy.push(name);
        } catch (error) {
          outcome = error;
          throw error;
        }
      });
    }
    await addEvents(database, [['7', { n: 1 }]]);
    await expect.poll(() => inHand).toBe(true);
    await addEvents(database, [
      ['7', { n: 2 }],
      ['8', { n: 3 }],
    ]);
    await expect
      .poll(() => database.query('SELECT FROM outbox WHERE published_at IS NULL'))
      .toEqual([]);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE locktype = 'advisory' AND granted AND datname = current_database()`,
    );
    await expect.poll(() => second.app.get(EventWorker).isLeader).toBe(true);
    expect(first.app.get(EventWorker).isLeader).toBe(false);
    // What the first had was given back at once, in its order: nobody waits for 30 s.
    await expect.poll(bookings).toEqual([1, 2, 3]);
    gate.emit('open');
    await expect.poll(() => outcome).toMatchObject({ name: 'NotLeaderError' });
    await addEvents(database, [['7', { n: 4 }]]);
    await expect.poll(bookings).toEqual([1, 2, 3, 4]);
    expect(new Set(handledBy)).toEqual(new Set(['second']));
  });
});

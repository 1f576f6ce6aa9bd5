import { operations } from '@mentorhub/contracts';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NATS_CONNECTION, Outbox } from '../src/index.js';
import {
  EffectsController,
  effectsOf,
  poison,
  range,
  recorded,
  addEvents,
  thingCounted,
  thingHappened,
} from './effects.js';
import { type Fixture, startService } from './fixture.js';

const admin = { user_id: 1, roles: ['admin' as const], session_id: 1 };
const manage = operations('mentorship');

describe('an event', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let databaseOfTest: TestDatabase;
  let service: Fixture;

  beforeAll(async () => {
    [nats, databaseOfTest] = await Promise.all([testNats(), testDatabase('events')]);
    service = await startService({
      databaseUrl: databaseOfTest.url,
      directUrl: databaseOfTest.directUrl,
      natsUrl: nats.url,
      controllers: [EffectsController],
      options: { retryDelaysMs: [300, 300, 300] },
    });
  });

  afterAll(async () => {
    await service.close();
    await databaseOfTest.drop();
    await nats.stop();
  });

  beforeEach(async () => {
    poison.broken = true;
    await service.database.query('TRUNCATE effects, dead_letters RESTART IDENTITY');
  });

  it('reaches every handler once, in the order of the facts', async () => {
    await addEvents(
      service.database,
      range(0, 300).map((n) => [String(n % 5), { n }]),
    );
    await expect.poll(() => recorded(service.database)).toEqual(range(0, 300));
    await expect.poll(() => recorded(service.database, 'second')).toEqual(range(0, 300));
  });

  it('is in the median handled within 250 ms of its commit by an idle service', async () => {
    const latencies: number[] = [];
    for (const n of range(0, 5)) {
      const start = performance.now();
      await addEvents(service.database, [['1', { n }]]);
      await expect.poll(() => recorded(service.database), { interval: 5 }).toEqual(range(0, n + 1));
      latencies.push(performance.now() - start);
    }
    const [, , median] = latencies.toSorted((a, b) => a - b);
    expect(median).toBeLessThan(250);
  });

  it('does not exist when its transaction rolls back', async () => {
    const outbox = new Outbox();
    const failing = service.database.transaction(async (tx) => {
      await outbox.add(tx, thingHappened, 1, { n: 666 });
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    await addEvents(service.database, [['1', { n: 1 }]]);
    await expect.poll(() => recorded(service.database)).toEqual([1]);
    expect(
      await service.database.query("SELECT 1 FROM outbox WHERE payload ->> 'n' = '666'"),
    ).toEqual([]);
  });

  it('cannot be too large to travel', async () => {
    const outbox = new Outbox();
    const adding = outbox.add(service.database.manager, thingHappened, 1, {
      n: 1,
      text: 'x'.repeat(1_000_000),
    } as { n: number });
    await expect(adding).rejects.toThrow('send ids instead');
  });

  it('delivered 100 times has one effect', async () => {
    const js = jetstream(service.app.get(NATS_CONNECTION));
    const envelope = JSON.stringify({
      id: '019aa3f6-0000-7000-8000-000000000001',
      type: thingHappened.type,
      occurred_at: new Date().toISOString(),
      aggregate_id: '1',
      version: 1,
      data: { n: 1 },
    });
    await Promise.all(range(0, 100).map(() => js.publish(thingHappened.subject, envelope)));
    await addEvents(service.database, [['1', { n: 2 }]]);
    await expect.poll(() => recorded(service.database)).toContain(2);
    expect(await recorded(service.database)).toEqual([1, 2]);
    expect(await recorded(service.database, 'second')).toEqual([1, 2]);
  });

  it('that a handler cannot handle is dead-lettered, listed and retried on demand, while others flow on', async () => {
    await addEvents(service.database, [
      ['bad', { n: 1, poison: true }],
      ['good', { n: 2 }],
    ]);
    await addEvents(
      service.database,
      range(3, 100).map((n) => ['good', { n }]),
    );
    await expect.poll(() => recorded(service.database)).toEqual(range(2, 100));
    const list = () => service.client.request(manage.deadLetters.list, admin, {});
    await expect.poll(async () => (await list()).total, { timeout: 5000 }).toBe(1);

    const [letter] = (await list()).items;
    expect(letter).toMatchObject({
      handler: 'EffectsController.recordThing',
      type: thingHappened.type,
      aggregate_id: 'bad',
      attempts: 4,
      retried_at: null,
    });
    expect(letter?.error).toContain('division by zero');
    // The other handler of the same event was done at once and is not repeated.
    expect((await recorded(service.database, 'second')).filter((n) => n === 1)).toEqual([1]);

    const again = await service.client.request(manage.deadLetters.retry, admin, {});
    expect(again).toMatchObject({ retried: [], failed: [{ id: letter?.id }] });

    poison.broken = false;
    const ids = [letter?.id ?? 0];
    expect(await service.client.request(manage.deadLetters.retry, admin, { ids })).toEqual({
      retried: ids,
      failed: [],
    });
    expect(await recorded(service.database)).toEqual([...range(2, 100), 1]);
    expect((await list()).total).toBe(0);
    const kept = await service.client.request(manage.deadLetters.list, admin, { retried: true });
    expect(kept.items[0]?.retried_at).not.toBeNull();
    // Nothing is left to retry.
    expect(await service.client.request(manage.deadLetters.retry, admin, { ids })).toEqual({
      retried: [],
      failed: [],
    });
  });

  it('reaches a handler of several with those that follow it, once and in order', async () => {
    await addEvents(
      service.database,
      range(0, 300).map((n) => [String(n), { n }]),
      thingCounted,
    );
    const effects = () => effectsOf(service.database, 'recordTogether');
    await expect
      .poll(async () => (await effects()).map(({ n }) => n), { timeout: 5000 })
      .toEqual(range(0, 300));
    expect(Math.max(...(await effects()).map(({ together }) => together ?? 0))).toBeGreaterThan(1);
  });

  it('takes no other with it when a handler of several fails on it', async () => {
    await addEvents(
      service.database,
      range(0, 20).map((n) => [String(n), { n, poison: n === 7 }]),
      thingCounted,
    );
    await expect
      .poll(() => recorded(service.database, 'recordTogether'), { timeout: 5000 })
      .toEqual(range(0, 20).filter((n) => n !== 7));
    await expect
      .poll(
        () => service.database.query(`SELECT envelope ->> 'aggregate_id' AS id FROM dead_letters`),
        { timeout: 5000 },
      )
      .toEqual([{ id: '7' }]);
  });

  it('is not overtaken by later events of its aggregate while it is retried', async () => {
    await addEvents(service.database, [
      ['poisoned', { n: 1, poison: true }],
      ['poisoned', { n: 2 }],
      ['free', { n: 3 }],
      ['poisoned', { n: 4 }],
    ]);
    await expect.poll(() => recorded(service.database)).toEqual([3]);
    poison.broken = false;
    await expect.poll(() => recorded(service.database), { timeout: 5000 }).toHaveLength(4);
    expect(await recorded(service.database)).toEqual([3, 1, 2, 4]);
    expect(await service.database.query('SELECT 1 FROM inbox_retries')).toEqual([]);
  });

  it('needs an administrator to be listed, retried or published again', async () => {
    const mentee = { user_id: 2, roles: ['student' as const], session_id: 1 };
    for (const attempt of [
      service.client.request(manage.deadLetters.list, mentee, {}),
      service.client.request(manage.deadLetters.retry, mentee, {}),
      service.client.request(manage.outbox.republish, mentee, { from: '', to: '' }),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it('can be published again without a second effect, and makes up for a lost one', async () => {
    const from = new Date(Date.now() - 1000).toISOString();
    const to = new Date(Date.now() + 60_000).toISOString();
    await addEvents(
      service.database,
      range(0, 10).map((n) => ['again', { n }]),
    );
    await expect.poll(() => recorded(service.database)).toHaveLength(10);
    const [first] = await effectsOf(service.database);
    // As if one handler had never run for one event.
    await service.database.query('DELETE FROM inbox WHERE event_id = $1', [first?.event_id]);
    await service.database.query('DELETE FROM effects WHERE event_id = $1', [first?.event_id]);
    await nats.restart({ wipe: true });
    await expect
      .poll(
        () =>
          service.client
            .request(manage.outbox.republish, admin, { from, to, types: [thingHappened.type] })
            .catch(() => undefined),
        { timeout: 10_000 },
      )
      .toMatchObject({ events: expect.any(Number) });
    await expect.poll(() => recorded(service.database), { timeout: 10_000 }).toHaveLength(10);
    await expect
      .poll(() => service.database.query('SELECT 1 FROM outbox WHERE published_at IS NULL'))
      .toEqual([]);
    await addEvents(service.database, [['again', { n: 99 }]]);
    await expect.poll(() => recorded(service.database)).toHaveLength(11);
    expect(await recorded(service.database)).toEqual([...range(1, 10), 0, 99]);
  });

  it('refuses to be published again for a time that is none', async () => {
    const attempt = service.client.request(manage.outbox.republish, admin, {
      from: 'yesterday',
      to: '2026-01-01T00:00:00Z',
    });
    await expect(attempt).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });
});

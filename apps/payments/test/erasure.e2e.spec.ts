import {
  type BookingAmountDue,
  type BookingFact,
  bookingRequested,
  Bookings,
  ApplicationError,
  type EventContract,
  Payments,
  personalData,
  userErased,
} from '@mentorhub/contracts';
import { Neighbours } from '@mentorhub/messaging-testing';
import { createService, FixedClock, type RunningService } from '@mentorhub/service-kit';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';

let database: TestDatabase;
let nats: Awaited<ReturnType<typeof testNats>>;
let service: RunningService;
let neighbours: Neighbours;
let data: DataSource;
let lastBooking = 0;

beforeAll(async () => {
  [database, nats] = await Promise.all([testDatabase('erasure'), testNats()]);
  service = await createService({
    name: 'payments',
    config: readConfig({
      PROFILE: 'local',
      MANAGEMENT_PORT: '0',
      RUN_MIGRATIONS: 'true',
      DATABASE_URL_PAYMENTS: database.url,
      DATABASE_DIRECT_URL_PAYMENTS: database.directUrl,
      NATS_URL: nats.url,
    }),
    module: appModule,
    clock: new FixedClock('2026-11-25T12:00:00.000Z'),
  });
  data = service.app.get(DataSource);
  neighbours = await Neighbours.connect(nats.url);
  neighbours.answer(Bookings.amountDue, () => {
    throw ApplicationError.notFound('The booking');
  });
});

afterAll(async () => {
  await neighbours.close();
  await service.close();
  await nats.stop();
  await database.drop();
});

async function publish<Data>(
  event: EventContract<Data>,
  aggregateId: number,
  payload: Data,
): Promise<void> {
  const id = await neighbours.publish(event, aggregateId, payload);
  await eventually(`${event.type} to be handled`, async () => {
    const rows = await data.query<unknown[]>('SELECT FROM inbox WHERE event_id = $1', [id]);
    return rows.length > 0 ? true : undefined;
  });
}

/** A session that a mentee has to pay. */
async function requested(mentee: number, mentor: number): Promise<BookingAmountDue> {
  lastBooking += 1;
  const amountDue: BookingAmountDue = {
    booking_id: lastBooking,
    checkout_id: `co_${lastBooking}`,
    mentor_user_id: mentor,
    mentee_user_id: mentee,
    topic: `The secret topic of ${mentee}`,
    amount_minor: 300_000,
    currency: 'RUB',
    due: true,
    expires_at: '2026-11-25T12:15:00.000Z',
  };
  const fact: BookingFact = {
    booking_id: lastBooking,
    mentor_id: 1,
    mentor_user_id: mentor,
    mentor_name: 'Grace Hopper',
    mentee_user_id: mentee,
    mentee_name: 'Ada Lovelace',
    starts_at: '2026-11-26T12:00:00.000Z',
    ends_at: '2026-11-26T13:00:00.000Z',
    timezone: 'UTC',
    topic: amountDue.topic,
    status: 'pending',
    payment_status: 'unpaid',
    price_minor: 300_000,
    currency: 'RUB',
  };
  await publish(bookingRequested, lastBooking, { ...fact, amount_due: amountDue });
  return amountDue;
}

async function paid(mentee: number, mentor: number): Promise<string> {
  const { booking_id } = await requested(mentee, mentor);
  const { payment_id: id } = await neighbours.ask(
    Payments.create,
    mentee,
    { session_id: booking_id, amount: 3000, payment_method: 'card' },
    { idempotencyKey: `key-${booking_id}` },
  );
  await neighbours.ask(Payments.completeSandbox, mentee, { id, outcome: 'succeed' });
  return id;
}

const erase = (user_id: number) => publish(userErased, user_id, { user_id });

async function collect(user_id: number): Promise<Record<string, unknown[]>> {
  const part = await neighbours.ask(personalData('payments').collect, undefined, { user_id });
  expect(part.next).toBeNull();
  return Object.fromEntries(part.sections.map(({ name, items }) => [name, items]));
}

describe('a user who erases the account', () => {
  it('leaves the records of money, and no words', async () => {
    const id = await paid(101, 201);
    const before = await data.query(
      'SELECT account, amount_minor, currency FROM ledger_entries WHERE payment_id = $1 ORDER BY id',
      [id],
    );
    await erase(101);
    await erase(101);
    expect(
      await data.query(
        'SELECT account, amount_minor, currency FROM ledger_entries WHERE payment_id = $1 ORDER BY id',
        [id],
      ),
    ).toEqual(before);
    const [payment] = await data.query<{ status: string; description: string }[]>(
      `SELECT payments.status, description FROM payments JOIN amounts_due ON amounts_due.id = amount_due_id
       WHERE payments.id = $1`,
      [id],
    );
    expect(payment).toEqual({ status: 'succeeded', description: '' });
    const keys = await data.query<unknown[]>('SELECT FROM idempotency_keys WHERE user_id = 101');
    expect(keys).toEqual([]);
  });

  it('leaves the words of others', async () => {
    await requested(102, 202);
    await erase(202);
    const [due] = await data.query<{ description: string }[]>(
      'SELECT description FROM amounts_due WHERE user_id = 102',
    );
    expect(due?.description).toBe('The secret topic of 102');
  });

  it('is not brought back by a session that is reported late', async () => {
    await erase(103);
    await requested(103, 203);
    const [due] = await data.query<{ description: string; state: string }[]>(
      'SELECT description, state FROM amounts_due WHERE user_id = 103',
    );
    expect(due).toEqual({ description: '', state: 'open' });
  });
});

describe('the export of payments', () => {
  it('has what the user paid and earned, and nothing of the others', async () => {
    const id = await paid(104, 204);
    await paid(105, 205);
    const payer = await collect(104);
    expect(payer).toMatchObject({
      amounts_due: [{ description: 'The secret topic of 104', you_pay: true, other_user_id: 204 }],
      payments: [{ id, status: 'succeeded', amount_minor: 300_000 }],
      refunds: [],
      ledger_entries: [],
      idempotency_keys: [{ attempt: expect.stringContaining('payments.create') as string }],
    });
    expect(JSON.stringify(payer)).not.toContain('105');
    const earner = await collect(204);
    expect(earner).toMatchObject({
      amounts_due: [{ you_pay: false, other_user_id: 104 }],
      payments: [],
      ledger_entries: [{ amount_minor: -300_000, payment_id: id }],
    });
  });

  it('has a section for every table that names a user, directly or by a payment', async () => {
    const held = await collect(104);
    const tables = await data.query<{ name: string }[]>(
      `SELECT DISTINCT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name IN ('user_id', 'mentor_user_id', 'payment_id') ORDER BY 1`,
    );
    // What the entries belong to; and who has nothing any more.
    const elsewhere = ['erased_users', 'ledger_transactions'];
    expect(tables.filter(({ name }) => !(name in held) && !elsewhere.includes(name))).toEqual([]);
  });
});

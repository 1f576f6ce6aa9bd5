import {
  ApplicationError,
  type BookingAmountDue,
  type BookingCancelled,
  bookingCancelled,
  Bookings,
  type Caller,
  Checkout,
  Payments,
} from '@mentorhub/contracts';
import { Neighbours } from '@mentorhub/messaging-testing';
import { Transactions } from '@mentorhub/persistence';
import { createService, FixedClock, type RunningService } from '@mentorhub/service-kit';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { appModule } from '../src/app.module.js';
import { type PaymentsConfig, readConfig } from '../src/config.js';
import { Captures } from '../src/payments/capture.service.js';
import { PaymentExpiry } from '../src/payments/payment-expiry.js';
import { PaymentsService } from '../src/payments/payments.service.js';
import { type PaymentOrder, PaymentProvider } from '../src/providers/payment-provider.js';
import { SandboxProvider } from '../src/providers/sandbox-provider.js';

const start = '2026-11-25T12:00:00.000Z';
const deadline = '2026-11-25T12:15:00.000Z';
const mentee = 7;

type Behaviour = (order: PaymentOrder) => Promise<{ reference: string }>;

/** A provider that does what the test says, and remembers every order, also one whose answer was lost. */
class ScriptedProvider extends SandboxProvider {
  readonly orders: PaymentOrder[] = [];
  behaviour: Behaviour;

  constructor() {
    super();
    this.behaviour = (order) => super.open(order);
  }

  override open(order: PaymentOrder): Promise<{ reference: string }> {
    this.orders.push(order);
    return this.behaviour(order);
  }
}

const silent: Behaviour = () => new Promise(() => undefined);

const cancelled = (booking: BookingAmountDue): BookingCancelled => ({
  booking_id: booking.booking_id,
  mentor_id: 1,
  mentor_user_id: booking.mentor_user_id,
  mentor_name: 'Grace Hopper',
  mentee_user_id: booking.mentee_user_id,
  mentee_name: 'Ada Lovelace',
  starts_at: '2026-11-26T12:00:00.000Z',
  ends_at: '2026-11-26T13:00:00.000Z',
  timezone: 'Europe/Berlin',
  topic: booking.topic,
  status: 'cancelled_by_mentee',
  payment_status: 'unpaid',
  price_minor: booking.amount_minor,
  currency: booking.currency,
  cancelled_by: 'mentee',
  reason: null,
  refund_minor: 0,
});

describe('a payment provider', () => {
  const clock = new FixedClock(start);
  const dueBookings = new Map<number, BookingAmountDue>();
  const services: RunningService[] = [];
  let database: TestDatabase;
  let nats: Awaited<ReturnType<typeof testNats>>;
  let service: RunningService;
  let neighbours: Neighbours;
  let data: DataSource;
  let provider: ScriptedProvider;
  let config: { -readonly [Name in keyof PaymentsConfig]: PaymentsConfig[Name] };
  let lastBooking = 0;

  async function startService(scripted: ScriptedProvider): Promise<RunningService> {
    config = {
      ...readConfig({
        PROFILE: 'local',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        PUBLIC_URL: 'https://mentorhub.example',
        DATABASE_URL_PAYMENTS: database.url,
        DATABASE_DIRECT_URL_PAYMENTS: database.directUrl,
        DATABASE_POOL_SIZE: '4',
        NATS_URL: nats.url,
      }),
    };
    const started = await createService({
      name: 'payments',
      config,
      module: (read) => ({
        ...appModule(read),
        providers: [{ provide: PaymentProvider, useValue: scripted }],
      }),
      clock,
    });
    services.push(started);
    return started;
  }

  beforeAll(async () => {
    [database, nats] = await Promise.all([testDatabase('payments_provider'), testNats()]);
    neighbours = await Neighbours.connect(nats.url);
    neighbours.answer(Bookings.amountDue, (asked) => {
      const found = [...dueBookings.values()].find((booking) =>
        'booking_id' in asked
          ? booking.booking_id === asked.booking_id
          : booking.checkout_id === asked.checkout_id,
      );
      if (!found) throw ApplicationError.notFound('The booking');
      return found;
    });
    provider = new ScriptedProvider();
    service = await startService(provider);
    data = service.app.get(DataSource);
  });

  afterAll(async () => {
    await neighbours?.close();
    await Promise.all(services.map((running) => running.close()));
    await nats?.stop();
    await database?.drop();
  });

  beforeEach(() => {
    clock.set(start);
    config.PAYMENT_PROVIDER_TIMEOUT_MS = 4500;
    provider.orders.length = 0;
    provider.behaviour = new ScriptedProvider().behaviour;
  });

  function due(): BookingAmountDue {
    const booking_id = ++lastBooking;
    const booking = {
      booking_id,
      checkout_id: `co_${booking_id}`,
      mentor_user_id: 3,
      mentee_user_id: mentee,
      topic: 'Interview',
      amount_minor: 300_000,
      currency: 'RUB',
      due: true,
      expires_at: deadline,
    };
    dueBookings.set(booking_id, booking);
    return booking;
  }

  const pay = (booking: BookingAmountDue, idempotencyKey?: string) =>
    neighbours.ask(
      Payments.create,
      mentee,
      { session_id: booking.booking_id, amount: 3000, payment_method: 'card' },
      { idempotencyKey },
    );

  const paymentsOf = ({ booking_id }: BookingAmountDue) =>
    data.query<{ id: string; status: string; provider_reference: string | null }[]>(
      `SELECT payments.id, status, provider_reference FROM payments
       JOIN amounts_due ON amounts_due.id = amount_due_id WHERE booking_id = $1`,
      [booking_id],
    );

  const ordered = (count: number) =>
    eventually('the call to the provider', async () =>
      provider.orders.length >= count ? provider.orders : undefined,
    );

  /** The provider answers nothing, and the service soon no longer waits for it. */
  const beSilent = (): void => {
    config.PAYMENT_PROVIDER_TIMEOUT_MS = 200;
    provider.behaviour = silent;
  };

  /** Lets the next call wait: `answer` lets it succeed. */
  function slow(): { answer: () => void } {
    let release: (() => void) | undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    provider.behaviour = async (order) => {
      await released;
      return new ScriptedProvider().behaviour(order);
    };
    return { answer: () => release?.() };
  }

  it('that is silent is answered as unavailable in time, and the next attempt goes on with the same payment', async () => {
    const booking = due();
    beSilent();
    await expect(pay(booking)).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      retryAfterSeconds: 5,
    });
    const [intent] = await paymentsOf(booking);
    expect(intent).toMatchObject({ status: 'pending', provider_reference: null });

    provider.behaviour = new ScriptedProvider().behaviour;
    await expect(pay(booking)).resolves.toMatchObject({
      payment_id: intent?.id,
      status: 'pending',
    });
    expect(await paymentsOf(booking)).toHaveLength(1);
    expect(provider.orders.map(({ paymentId }) => paymentId)).toEqual([intent?.id, intent?.id]);
  });

  it('that fails is answered as unavailable, without a word of what it said', async () => {
    const booking = due();
    provider.behaviour = () => Promise.reject(new Error('secret key sk_live_1 was refused'));
    const error: unknown = await pay(booking).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'PROVIDER_UNAVAILABLE' });
    expect(JSON.stringify(error)).not.toContain('sk_live');
  });

  it('holds no connection, no transaction and no lock of payments while it is silent', async () => {
    const silentBookings = Array.from({ length: 12 }, () => due());
    const { answer } = slow();
    const waiting = silentBookings.map((booking) => pay(booking));
    await ordered(12);
    const [open] = await data.query<{ transactions: number }[]>(
      `SELECT count(*) AS transactions FROM pg_stat_activity
       WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
         AND backend_type = 'client backend'`,
    );
    const page = { checkout_id: silentBookings[0]?.checkout_id ?? '' };
    const view = await neighbours.ask(Checkout.view, undefined, page);
    answer();
    await Promise.all(waiting);
    expect(open).toEqual({ transactions: 0 });
    expect(view).toMatchObject({ status: 'pending' });
  });

  it('that is silent stops neither the expiry of payments nor the end of a booking', async () => {
    const [expiring, ending] = [due(), due()];
    const { answer } = slow();
    const attempts = Promise.allSettled([pay(expiring), pay(ending)]);
    await ordered(2);
    await neighbours.publish(bookingCancelled, ending.booking_id, cancelled(ending));
    clock.set(deadline);
    await service.app.get(PaymentExpiry).sweep();
    expect(await paymentsOf(expiring)).toMatchObject([{ status: 'expired' }]);
    await eventually('the payment of the cancelled booking to expire', async () =>
      (await paymentsOf(ending))[0]?.status === 'expired' ? true : undefined,
    );
    answer();
    await attempts;
  });

  it('is called once for requests at the same time, which get the same payment', async () => {
    const booking = due();
    const { answer } = slow();
    const attempts = Array.from({ length: 10 }, () => pay(booking));
    await ordered(1);
    answer();
    const created = await Promise.all(attempts);
    expect(new Set(created.map(({ payment_id }) => payment_id)).size).toBe(1);
    expect(new Set(provider.orders.map(({ paymentId }) => paymentId)).size).toBe(1);
    expect(await paymentsOf(booking)).toHaveLength(1);
  });

  it('that answers after the booking has ended leaves a payment whose late money goes back', async () => {
    const booking = due();
    const { answer } = slow();
    const attempt = pay(booking).catch((error: unknown) => error);
    await ordered(1);
    await neighbours.publish(bookingCancelled, booking.booking_id, cancelled(booking));
    await eventually('the payment to expire', async () =>
      (await paymentsOf(booking))[0]?.status === 'expired' ? true : undefined,
    );
    answer();
    expect(await attempt).toMatchObject({ code: 'WRONG_STATE' });

    const [payment] = await paymentsOf(booking);
    const reference = payment?.provider_reference ?? 'none';
    await expect(
      service.app.get(Captures).capture({
        provider: 'sandbox',
        reference,
        outcome: 'succeeded',
        amountMinor: 300_000,
        currency: 'RUB',
      }),
    ).resolves.toMatchObject({ id: payment?.id, status: 'refunded' });
  });

  it('that answers after the time to pay is over is answered as too late', async () => {
    const booking = due();
    const { answer } = slow();
    const attempt = pay(booking).catch((error: unknown) => error);
    await ordered(1);
    clock.set(deadline);
    answer();
    expect(await attempt).toMatchObject({ code: 'WRONG_STATE' });
  });

  it('that gives a payment a second reference does not change the first', async () => {
    const booking = due();
    const request = {
      session_id: booking.booking_id,
      amount: 3000,
      payment_method: 'card',
    } as const;
    const caller: Caller = { user_id: mentee, roles: ['student'], session_id: 1 };
    const other = new ScriptedProvider();
    other.behaviour = () => Promise.resolve({ reference: 'first' });
    const replica = await startService(other);
    const { answer } = slow();
    const late = service.app.get(PaymentsService).create(caller, request);
    await ordered(1);
    const created = await replica.app.get(PaymentsService).create(caller, request);
    answer();
    expect(await late).toEqual(created);
    expect(await paymentsOf(booking)).toEqual([
      { id: created.payment_id, status: 'pending', provider_reference: 'first' },
    ]);
    await replica.close();
  });

  it('whose answer is lost with the process is called again with the same key', async () => {
    const booking = due();
    provider.behaviour = (order) => {
      // The process ends here: the provider has the payment, and the reference is not stored.
      vi.spyOn(service.app.get(Transactions), 'run').mockRejectedValueOnce(new Error('killed'));
      return new ScriptedProvider().behaviour(order);
    };
    await expect(pay(booking, 'pay-once')).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await paymentsOf(booking)).toMatchObject([{ provider_reference: null }]);

    provider.behaviour = new ScriptedProvider().behaviour;
    const created = await pay(booking, 'pay-once');
    const [lost, repeated] = provider.orders;
    expect(repeated).toEqual(lost);
    expect(created).toMatchObject({ payment_id: lost?.paymentId, status: 'pending' });
    await expect(pay(booking, 'pay-once')).resolves.toEqual(created);
    await expect(pay(due(), 'pay-once')).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(provider.orders).toHaveLength(2);
  });
});

import {
  AmountsDue,
  type BookingCancelled,
  bookingCancelled,
  bookingExpired,
  type BookingFact,
  bookingNoShow,
  bookingRequested,
  Bookings,
  Checkout,
  ApplicationError,
  type BookingAmountDue,
  maxAmount,
  Payments,
  toMajor,
  toMinor,
} from '@mentorhub/contracts';
import { createService, FixedClock, type RunningService } from '@mentorhub/service-kit';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import * as fc from 'fast-check';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';
import { Ledger } from '../src/ledger/ledger.js';
import { Payment } from '../src/payments/payment.entity.js';
import { PaymentExpiry } from '../src/payments/payment-expiry.js';
import { Captures } from '../src/payments/capture.service.js';
import type { ProviderEvent } from '../src/providers/payment-provider.js';
import { Neighbours } from '@mentorhub/messaging-testing';

const start = '2026-11-25T12:00:00.000Z';
const deadline = '2026-11-25T12:15:00.000Z';
const mentee = 7;
const mentor = 3;

function fact(amountDue: BookingAmountDue, overrides: Partial<BookingFact> = {}): BookingFact {
  return {
    booking_id: amountDue.booking_id,
    mentor_id: 1,
    mentor_user_id: amountDue.mentor_user_id,
    mentor_name: 'Grace Hopper',
    mentee_user_id: amountDue.mentee_user_id,
    mentee_name: 'Ada Lovelace',
    starts_at: '2026-11-26T12:00:00.000Z',
    ends_at: '2026-11-26T13:00:00.000Z',
    timezone: 'Europe/Berlin',
    topic: amountDue.topic,
    status: 'pending',
    payment_status: 'unpaid',
    price_minor: amountDue.amount_minor,
    currency: amountDue.currency,
    ...overrides,
  };
}

const cancelled = (
  amountDue: BookingAmountDue,
  refund_minor: number,
  overrides: Partial<BookingFact> = {},
): BookingCancelled => ({
  ...fact(amountDue, { status: 'cancelled_by_mentor', payment_status: 'refunded', ...overrides }),
  cancelled_by: 'mentor',
  reason: null,
  refund_minor,
});

/** Takes this refusal for an answer. */
function unlessRefusedAs(code: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof ApplicationError) || error.code !== code) throw error;
  };
}

async function expectSoundBooks(data: DataSource, bookingId: number): Promise<void> {
  const unbalanced = await data.query(
    'SELECT transaction_id FROM ledger_entries GROUP BY transaction_id, currency HAVING sum(amount_minor) <> 0',
  );
  expect(unbalanced).toEqual([]);
  const payments = await data.query<
    {
      status: string;
      amount_minor: number;
      refunded_minor: number;
      balance: number;
      refunds: number;
    }[]
  >(
    `SELECT payments.status, payments.amount_minor, refunded_minor,
       coalesce((SELECT sum(amount_minor) FROM ledger_entries
         WHERE payment_id = payments.id AND account = 'provider:sandbox'), 0)::bigint AS balance,
       coalesce((SELECT sum(amount_minor) FROM refunds WHERE payment_id = payments.id), 0) AS refunds
     FROM payments JOIN amounts_due ON amounts_due.id = amount_due_id WHERE booking_id = $1`,
    [bookingId],
  );
  for (const { status, amount_minor, refunded_minor, balance, refunds } of payments) {
    const taken = ['succeeded', 'partially_refunded', 'refunded'].includes(status);
    expect(balance).toBe(taken ? amount_minor - refunded_minor : 0);
    expect(refunds).toBe(refunded_minor);
  }
  // At most one payment of a booking is kept; any other is refunded.
  const kept = payments.filter(({ balance }) => balance > 0);
  expect(kept.length).toBeLessThanOrEqual(1);
}

describe('payments', () => {
  const clock = new FixedClock(start);
  const dueBookings = new Map<number, BookingAmountDue>();
  let database: TestDatabase;
  let nats: Awaited<ReturnType<typeof testNats>>;
  let service: RunningService;
  let neighbours: Neighbours;
  let data: DataSource;
  let lastBooking = 0;
  let lastEvent = 0;

  beforeAll(async () => {
    [database, nats] = await Promise.all([testDatabase('payments'), testNats()]);
    service = await createService({
      name: 'payments',
      config: readConfig({
        PROFILE: 'local',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        PUBLIC_URL: 'https://mentorhub.example',
        DATABASE_URL_PAYMENTS: database.url,
        DATABASE_DIRECT_URL_PAYMENTS: database.directUrl,
        NATS_URL: nats.url,
      }),
      module: appModule,
      clock,
    });
    data = service.app.get(DataSource);
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
  });

  afterAll(async () => {
    await neighbours?.close();
    await service?.close();
    await nats?.stop();
    await database?.drop();
  });

  beforeEach(async () => {
    clock.set(start);
    const [row] = await data.query<{ id: number }[]>(
      'SELECT coalesce(max(id), 0) AS id FROM outbox',
    );
    lastEvent = row?.id ?? 0;
  });

  function due(overrides: Partial<BookingAmountDue> = {}): BookingAmountDue {
    const booking_id = ++lastBooking;
    const amountDue = {
      booking_id,
      checkout_id: `co_${booking_id}`,
      mentor_user_id: mentor,
      mentee_user_id: mentee,
      topic: 'Interview',
      amount_minor: 300_000,
      currency: 'RUB',
      due: true,
      expires_at: deadline,
      ...overrides,
    };
    dueBookings.set(booking_id, amountDue);
    return amountDue;
  }

  const pay = (amountDue: BookingAmountDue) =>
    neighbours.ask(Payments.create, mentee, {
      session_id: amountDue.booking_id,
      amount: toMajor(amountDue.amount_minor, amountDue.currency),
      payment_method: 'card',
    });

  const complete = (id: string, outcome: 'succeed' | 'fail') =>
    neighbours.ask(Payments.completeSandbox, mentee, { id, outcome });

  async function report(id: string, outcome: ProviderEvent['outcome']): Promise<ProviderEvent> {
    const payment = await data.manager.findOneByOrFail(Payment, { id });
    return {
      provider: 'sandbox',
      reference: payment.providerReference ?? 'not registered',
      outcome,
      amountMinor: payment.amountMinor,
      currency: payment.currency,
    };
  }

  async function ledgerOf(id: string): Promise<[string, number][]> {
    const rows = await data.query<{ account: string; amount_minor: number }[]>(
      'SELECT account, amount_minor FROM ledger_entries WHERE payment_id = $1 ORDER BY id',
      [id],
    );
    return rows.map(({ account, amount_minor }) => [account, amount_minor]);
  }

  /** The types of the events of one payment since the test began. */
  async function eventsOf(id: string): Promise<string[]> {
    const rows = await data.query<{ type: string }[]>(
      'SELECT type FROM outbox WHERE aggregate_id = $1 AND id > $2 ORDER BY id',
      [id, lastEvent],
    );
    return rows.map(({ type }) => type.replace('payments.payment.', ''));
  }

  const state = async (booking: BookingAmountDue): Promise<string | undefined> => {
    const [row] = await data.query<{ state: string }[]>(
      'SELECT state FROM amounts_due WHERE booking_id = $1',
      [booking.booking_id],
    );
    return row?.state;
  };

  const close = (booking: BookingAmountDue) =>
    neighbours.ask(AmountsDue.close, undefined, fact(booking));

  const closed = (booking: BookingAmountDue) =>
    eventually('the amount due to be closed', async () =>
      (await state(booking)) === 'closed' ? true : undefined,
    );

  describe('creating a payment', () => {
    it('a mentee gets a payment with the page to pay it at, once the event of the booking has arrived', async () => {
      const booking = due();
      await neighbours.publish(bookingRequested, booking.booking_id, {
        ...fact(booking),
        amount_due: booking,
      });
      await eventually('the amount due', () => state(booking));
      dueBookings.delete(booking.booking_id);

      const created = await pay(booking);

      expect(created).toEqual({
        payment_id: expect.stringMatching(/^pm_[0-9a-z]{32}$/),
        amount: 3000,
        currency: 'RUB',
        status: 'pending',
        payment_url: `https://mentorhub.example/checkout/${booking.checkout_id}`,
        expires_at: deadline,
      });
      expect(await eventsOf(created.payment_id)).toEqual(['created']);
    });

    it('works before the event of the booking has arrived, by a request to mentorship', async () => {
      const booking = due();
      await expect(pay(booking)).resolves.toMatchObject({ status: 'pending', amount: 3000 });
    });

    it.each([
      ['JPY', 3000, 3000],
      ['KWD', 3_125, 3.125],
    ])('is of an amount with the decimals of %s', async (currency, amount_minor, amount) => {
      const booking = due({ currency, amount_minor });
      const created = await neighbours.ask(Payments.create, mentee, {
        session_id: booking.booking_id,
        amount,
        payment_method: 'card',
      });
      expect(created).toMatchObject({ amount, currency });
    });

    it('a second call returns the pending payment', async () => {
      const booking = due();
      const [first, second] = await Promise.all([pay(booking), pay(booking)]);
      const third = await pay(booking);
      expect(second.payment_id).toBe(first.payment_id);
      expect(third.payment_id).toBe(first.payment_id);
    });

    it('another amount than the price is refused and named', async () => {
      const booking = due();
      await expect(
        neighbours.ask(Payments.create, mentee, {
          session_id: booking.booking_id,
          amount: 1,
          payment_method: 'card',
        }),
      ).rejects.toMatchObject({
        code: 'AMOUNT_MISMATCH',
        errors: [{ field: 'amount', message: expect.stringContaining('3000 RUB') }],
      });
    });

    it("another's session is answered like an unknown one", async () => {
      const booking = due({ mentee_user_id: 99 });
      const theirs = await pay(booking).catch((error: unknown) => error);
      const unknown = await neighbours
        .ask(Payments.create, mentee, {
          session_id: 1_000_000,
          amount: 3000,
          payment_method: 'card',
        })
        .catch((error: unknown) => error);
      expect(theirs).toMatchObject({ code: 'NOT_FOUND', detail: 'The session was not found.' });
      expect(unknown).toEqual(theirs);
    });

    it('a session that is paid, or whose time to pay is over, cannot be paid', async () => {
      const paid = due();
      await complete((await pay(paid)).payment_id, 'succeed');
      await expect(pay(paid)).rejects.toMatchObject({ code: 'WRONG_STATE' });

      const late = due();
      clock.set(deadline);
      await expect(pay(late)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    });

    it('a session that ended before its event arrived cannot be paid', async () => {
      const booking = due({ due: false });
      await expect(pay(booking)).rejects.toMatchObject({ code: 'WRONG_STATE' });
      await expect(
        neighbours.ask(Checkout.view, undefined, { checkout_id: booking.checkout_id }),
      ).resolves.toMatchObject({ status: 'expired' });
    });

    it('the same Idempotency-Key gets the first answer again, and is refused for another session', async () => {
      const booking = due();
      const request = {
        session_id: booking.booking_id,
        amount: 3000,
        payment_method: 'card',
      } as const;
      const idempotencyKey = 'key-1';
      const first = await neighbours.ask(Payments.create, mentee, request, { idempotencyKey });
      await complete(first.payment_id, 'succeed');

      await expect(
        neighbours.ask(Payments.create, mentee, request, { idempotencyKey }),
      ).resolves.toEqual(first);
      await expect(
        neighbours.ask(
          Payments.create,
          mentee,
          { ...request, session_id: due().booking_id },
          { idempotencyKey },
        ),
      ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    });
  });

  describe('looking at payments', () => {
    it('the history shows own payments only, the newest first, in pages', async () => {
      const user = 501;
      const ids: string[] = [];
      for (const minute of [1, 2, 3]) {
        clock.set(`2026-11-25T12:0${minute}:00.000Z`);
        const booking = due({ mentee_user_id: user });
        const created = await neighbours.ask(Payments.create, user, {
          session_id: booking.booking_id,
          amount: 3000,
          payment_method: 'card',
        });
        ids.unshift(created.payment_id);
      }
      const first = await neighbours.ask(Payments.history, user, { page: 1, limit: 2 });
      const second = await neighbours.ask(Payments.history, user, { page: 2, limit: 2 });

      expect(first).toMatchObject({ total: 3, page: 1, pages: 2 });
      expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
      expect(first.items[0]).toEqual({
        id: ids[0],
        session_id: lastBooking,
        amount: 3000,
        currency: 'RUB',
        status: 'pending',
        description: 'Interview',
        created_at: '2026-11-25T12:03:00.000Z',
      });
      await expect(neighbours.ask(Payments.history, 502, {})).resolves.toEqual({
        items: [],
        total: 0,
        page: 1,
        pages: 1,
      });
    });

    it("another's payment cannot be seen or completed", async () => {
      const { payment_id: id } = await pay(due());
      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({ id });
      await expect(neighbours.ask(Payments.get, 8, { id })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      await expect(
        neighbours.ask(Payments.completeSandbox, 8, { id, outcome: 'succeed' }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  describe('capturing', () => {
    it('a payment that succeeds is booked to the mentor and published', async () => {
      const { payment_id: id } = await pay(due());
      await expect(complete(id, 'succeed')).resolves.toMatchObject({ id, status: 'succeeded' });
      expect(await ledgerOf(id)).toEqual([
        ['provider:sandbox', 300_000],
        [`mentor:${mentor}`, -300_000],
      ]);
      expect(await eventsOf(id)).toEqual(['created', 'succeeded']);
    });

    it('after a failure a new payment can be made and succeeds', async () => {
      const booking = due();
      const { payment_id: failed } = await pay(booking);
      await expect(complete(failed, 'fail')).resolves.toMatchObject({ status: 'failed' });
      expect(await eventsOf(failed)).toEqual(['created', 'failed']);
      expect(await ledgerOf(failed)).toEqual([]);

      const { payment_id: id } = await pay(booking);
      expect(id).not.toBe(failed);
      await expect(complete(id, 'succeed')).resolves.toMatchObject({ status: 'succeeded' });
      await expect(complete(failed, 'succeed')).rejects.toMatchObject({ code: 'WRONG_STATE' });
    });

    it('fifty completions at once capture once', async () => {
      const { payment_id: id } = await pay(due());
      const answers = await Promise.all(Array.from({ length: 50 }, () => complete(id, 'succeed')));

      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['succeeded']));
      expect(await ledgerOf(id)).toHaveLength(2);
      expect(await eventsOf(id)).toEqual(['created', 'succeeded']);
    });

    it('a provider that takes another amount or currency is not believed', async () => {
      const captures = service.app.get(Captures);
      const { payment_id: id } = await pay(due());
      const right = await report(id, 'succeeded');
      await expect(captures.capture({ ...right, amountMinor: 100 })).rejects.toMatchObject({
        code: 'AMOUNT_MISMATCH',
      });
      await expect(captures.capture({ ...right, currency: 'IDR' })).rejects.toMatchObject({
        code: 'AMOUNT_MISMATCH',
      });
      await expect(captures.capture({ ...right, reference: 'sb_forged' })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      expect(await ledgerOf(id)).toEqual([]);
    });

    it('a failure reported after the success changes nothing', async () => {
      const captures = service.app.get(Captures);
      const { payment_id: id } = await pay(due());
      await complete(id, 'succeed');
      await expect(captures.capture(await report(id, 'failed'))).resolves.toMatchObject({
        status: 'succeeded',
      });
    });

    it('a payment whose time is over expires, is published, and cannot be paid in the sandbox', async () => {
      const { payment_id: id } = await pay(due());
      clock.set(deadline);
      await expect(complete(id, 'succeed')).rejects.toMatchObject({ code: 'WRONG_STATE' });

      await service.app.get(PaymentExpiry).sweep();

      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'expired',
      });
      expect(await eventsOf(id)).toEqual(['created', 'expired']);
    });
  });

  describe('when a booking ends', () => {
    it('the whole price goes back when the mentor cancels', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await complete(id, 'succeed');
      await neighbours.publish(bookingCancelled, booking.booking_id, cancelled(booking, 300_000));
      await closed(booking);

      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'refunded',
      });
      expect(await eventsOf(id)).toEqual(['created', 'succeeded', 'refunded']);
      expect(await ledgerOf(id)).toEqual([
        ['provider:sandbox', 300_000],
        [`mentor:${mentor}`, -300_000],
        ['provider:sandbox', -300_000],
        [`mentor:${mentor}`, 300_000],
      ]);
    });

    it('the highest amount is paid, shown and refunded like any other', async () => {
      const booking = due({ amount_minor: toMinor(maxAmount, 'RUB') });
      const { payment_id: id } = await pay(booking);
      await complete(id, 'succeed');
      await neighbours.publish(
        bookingCancelled,
        booking.booking_id,
        cancelled(booking, booking.amount_minor),
      );
      const refunded = await eventually('the refund', async () => {
        const payment = await neighbours.ask(Payments.get, mentee, { id });
        return payment.status === 'refunded' ? payment : undefined;
      });
      expect(refunded.amount).toBe(maxAmount);
      await expectSoundBooks(data, booking.booking_id);
    });

    it('half of it goes back when mentorship says half', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await complete(id, 'succeed');
      await neighbours.publish(
        bookingCancelled,
        booking.booking_id,
        cancelled(booking, 150_000, { payment_status: 'partially_refunded' }),
      );
      await closed(booking);
      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'partially_refunded',
      });
    });

    it.each([
      ['mentor', 300_000, 'refunded'],
      ['mentee', 0, 'succeeded'],
    ] as const)(
      'missed by the %s, %i kopecks go back',
      async (absent_party, refund_minor, status) => {
        const booking = due();
        const { payment_id } = await pay(booking);
        await complete(payment_id, 'succeed');
        await neighbours.publish(bookingNoShow, booking.booking_id, {
          ...fact(booking, { status: 'no_show', payment_status: 'paid' }),
          absent_party,
          refund_minor,
        });
        await closed(booking);
        expect(await data.manager.findOneByOrFail(Payment, { id: payment_id })).toMatchObject({
          status,
          refundedMinor: refund_minor,
        });
        await expectSoundBooks(data, booking.booking_id);
      },
    );

    it('missed in an event of an earlier version, nothing goes back', async () => {
      const booking = due();
      const { payment_id } = await pay(booking);
      await complete(payment_id, 'succeed');
      await neighbours.publish(
        bookingNoShow,
        booking.booking_id,
        fact(booking, { status: 'no_show', payment_status: 'paid' }),
      );
      await closed(booking);
      expect(await data.manager.findOneByOrFail(Payment, { id: payment_id })).toMatchObject({
        status: 'succeeded',
        refundedMinor: 0,
      });
      await expectSoundBooks(data, booking.booking_id);
    });

    it('the pending payment expires', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await neighbours.publish(bookingExpired, booking.booking_id, {
        ...fact(booking, { status: 'expired' }),
        refund_minor: 0,
      });
      await closed(booking);
      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'expired',
      });
      expect(await eventsOf(id)).toEqual(['created', 'expired']);
    });

    it('money that comes after the end is captured and goes back in full', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await neighbours.publish(bookingExpired, booking.booking_id, {
        ...fact(booking, { status: 'expired' }),
        refund_minor: 0,
      });
      await closed(booking);

      await service.app.get(Captures).capture(await report(id, 'succeeded'));

      expect(await eventsOf(id)).toEqual(['created', 'expired', 'succeeded', 'refunded']);
      const balance = (await ledgerOf(id)).reduce((sum, [, amount]) => sum + amount, 0);
      expect(balance).toBe(0);
      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'refunded',
      });
    });

    it('a payment whose event had not reached mentorship when the booking ended goes back in full', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await complete(id, 'succeed');
      await neighbours.publish(bookingExpired, booking.booking_id, {
        ...fact(booking, { status: 'expired', payment_status: 'unpaid' }),
        refund_minor: 0,
      });
      await closed(booking);
      await expect(neighbours.ask(Payments.get, mentee, { id })).resolves.toMatchObject({
        status: 'refunded',
      });
    });

    it('an end that arrives before the beginning keeps the booking from being paid', async () => {
      const booking = due();
      await neighbours.publish(bookingCancelled, booking.booking_id, cancelled(booking, 0));
      await closed(booking);
      await neighbours.publish(bookingRequested, booking.booking_id, {
        ...fact(booking),
        amount_due: booking,
      });
      await expect
        .poll(() => neighbours.ask(Checkout.view, undefined, { checkout_id: booking.checkout_id }))
        .toMatchObject({ status: 'expired' });
      await expect(pay(booking)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    });

    it('the end is handled once, however often it is published', async () => {
      const booking = due();
      const { payment_id: id } = await pay(booking);
      await complete(id, 'succeed');
      const event = cancelled(booking, 100_000, { payment_status: 'partially_refunded' });
      const eventId = await neighbours.publish(bookingCancelled, booking.booking_id, event);
      for (let i = 0; i < 5; i++) {
        await neighbours.publish(bookingCancelled, booking.booking_id, event, eventId);
      }
      const marker = due();
      await neighbours.publish(bookingRequested, marker.booking_id, {
        ...fact(marker),
        amount_due: marker,
      });
      await eventually('the events before the marker', () => state(marker));
      expect(await eventsOf(id)).toEqual(['created', 'succeeded', 'refunded']);
    });
  });

  describe('closing the amount due of a hold that is over', () => {
    it('expires the pending payment and refunds what is captured later', async () => {
      const booking = due();
      const { payment_id } = await pay(booking);
      expect(await close(booking)).toEqual({ outcome: 'closed' });
      expect(await close(booking)).toEqual({ outcome: 'closed' });
      expect(await eventsOf(payment_id)).toEqual(['created', 'expired']);

      await service.app.get(Captures).capture(await report(payment_id, 'succeeded'));
      expect(await eventsOf(payment_id)).toEqual(['created', 'expired', 'succeeded', 'refunded']);
      await expectSoundBooks(data, booking.booking_id);
    });

    it('changes nothing when the session is paid', async () => {
      const booking = due();
      const { payment_id } = await pay(booking);
      await complete(payment_id, 'succeed');
      expect(await close(booking)).toEqual({ outcome: 'paid' });
      expect(await state(booking)).toBe('paid');
      expect(await eventsOf(payment_id)).toEqual(['created', 'succeeded']);
    });

    it('keeps a booking whose event is still on its way from being paid', async () => {
      const booking = due();
      expect(await close(booking)).toEqual({ outcome: 'closed' });
      await neighbours.publish(bookingRequested, booking.booking_id, {
        ...fact(booking),
        amount_due: booking,
      });
      await eventually('the checkout id', async () => {
        const [row] = await data.query<{ checkout_id: string | null }[]>(
          'SELECT checkout_id FROM amounts_due WHERE booking_id = $1',
          [booking.booking_id],
        );
        return row?.checkout_id ?? undefined;
      });
      await expect(pay(booking)).rejects.toMatchObject({ code: 'WRONG_STATE' });
    });

    it('while a capture arrives answers as the books say', async () => {
      for (let round = 0; round < 10; round++) {
        const booking = due();
        const { payment_id } = await pay(booking);
        const captured = await report(payment_id, 'succeeded');
        const [{ outcome }] = await Promise.all([
          close(booking),
          service.app.get(Captures).capture(captured),
        ]);
        expect(await state(booking)).toBe(outcome);
        const { status } = await data.manager.findOneByOrFail(Payment, { id: payment_id });
        expect(status).toBe(outcome === 'paid' ? 'succeeded' : 'refunded');
        await expectSoundBooks(data, booking.booking_id);
      }
    });
  });

  describe('the checkout page', () => {
    it('shows what is due and makes the payment when it is opened', async () => {
      const booking = due();
      const page = { checkout_id: booking.checkout_id };
      await expect(neighbours.ask(Checkout.view, undefined, page)).resolves.toEqual({
        checkout_id: booking.checkout_id,
        description: 'Interview',
        amount_minor: 300_000,
        currency: 'RUB',
        status: 'pending',
        expires_at: deadline,
      });
      const history = await neighbours.ask(Payments.history, mentee, { limit: 100 });
      expect(history.items.filter((item) => item.session_id === booking.booking_id)).toEqual([
        expect.objectContaining({ status: 'pending' }),
      ]);
    });

    it('pays once, however often the form is sent', async () => {
      const page = { checkout_id: due().checkout_id };
      const answers = await Promise.all(
        Array.from({ length: 10 }, () =>
          neighbours.ask(Checkout.complete, undefined, { ...page, outcome: 'succeed' }),
        ),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['succeeded']));
      const history = await neighbours.ask(Payments.history, mentee, { limit: 100 });
      expect(history.items.filter((item) => item.session_id === lastBooking)).toHaveLength(1);
      await expect(
        neighbours.ask(Checkout.complete, undefined, { ...page, outcome: 'fail' }),
      ).rejects.toMatchObject({ code: 'WRONG_STATE' });
    });

    it('opens for everyone who asks at once before the event of the booking has arrived', async () => {
      for (let round = 0; round < 20; round++) {
        const page = { checkout_id: due().checkout_id };
        const views = await Promise.all(
          Array.from({ length: 16 }, () => neighbours.ask(Checkout.view, undefined, page)),
        );
        expect(new Set(views.map(({ status }) => status))).toEqual(new Set(['pending']));
      }
    });

    it('lets the mentee try again after a failure', async () => {
      const page = { checkout_id: due().checkout_id };
      const fail = { ...page, outcome: 'fail' } as const;
      await expect(neighbours.ask(Checkout.complete, undefined, fail)).resolves.toMatchObject({
        status: 'failed',
      });
      await expect(neighbours.ask(Checkout.view, undefined, page)).resolves.toMatchObject({
        status: 'pending',
      });
      await expect(
        neighbours.ask(Checkout.complete, undefined, { ...page, outcome: 'succeed' }),
      ).resolves.toMatchObject({ status: 'succeeded' });
    });

    it('has expired when the time to pay is over, and is unknown for a made-up id', async () => {
      const page = { checkout_id: due().checkout_id };
      clock.set(deadline);
      await expect(neighbours.ask(Checkout.view, undefined, page)).resolves.toMatchObject({
        status: 'expired',
      });
      await expect(
        neighbours.ask(Checkout.complete, undefined, { ...page, outcome: 'succeed' }),
      ).rejects.toMatchObject({ code: 'WRONG_STATE' });
      await expect(
        neighbours.ask(Checkout.view, undefined, { checkout_id: 'co_made_up' }),
      ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  describe('the ledger', () => {
    it('refuses a transaction that does not sum to zero', async () => {
      const { payment_id: paymentId } = await pay(due());
      const ledger = service.app.get(Ledger);
      await expect(
        data.transaction((tx) =>
          ledger.post(tx, {
            kind: 'capture',
            paymentId,
            currency: 'RUB',
            postings: [
              { account: 'provider:sandbox', amountMinor: 100 },
              { account: 'mentor:3', amountMinor: -99 },
            ],
          }),
        ),
      ).rejects.toMatchObject({ constraint: 'ledger_entries_balanced' });
      expect(await ledgerOf(paymentId)).toEqual([]);
    });

    it('refuses a second capture of a payment', async () => {
      const { payment_id: paymentId } = await pay(due());
      await complete(paymentId, 'succeed');
      await expect(
        data.transaction((tx) =>
          service.app.get(Ledger).post(tx, {
            kind: 'capture',
            paymentId,
            currency: 'RUB',
            postings: [
              { account: 'provider:sandbox', amountMinor: 1 },
              { account: 'mentor:3', amountMinor: -1 },
            ],
          }),
        ),
      ).rejects.toMatchObject({ constraint: 'ledger_transactions_one_capture' });
    });

    it.each([
      'UPDATE ledger_entries SET amount_minor = 1',
      'DELETE FROM ledger_entries',
      'TRUNCATE ledger_entries',
      "UPDATE ledger_transactions SET kind = 'refund'",
    ])('is append-only: %s', async (statement) => {
      await expect(data.query(statement)).rejects.toThrow(/append-only/);
    });

    it('sums to zero, with no more given back than taken, whatever is paid, failed, expired and refunded', async () => {
      const captures = service.app.get(Captures);
      type Step =
        | { do: 'pay' | 'succeed' | 'fail' | 'expire' }
        | { do: 'end'; refundMinor: number; paymentKnown: boolean };
      const step: fc.Arbitrary<Step> = fc.oneof(
        { weight: 3, arbitrary: fc.record({ do: fc.constant('pay' as const) }) },
        { weight: 3, arbitrary: fc.record({ do: fc.constant('succeed' as const) }) },
        {
          weight: 2,
          arbitrary: fc.record({ do: fc.constantFrom('fail' as const, 'expire' as const) }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            do: fc.constant('end' as const),
            refundMinor: fc.integer({ min: 0, max: 400_000 }),
            paymentKnown: fc.boolean(),
          }),
        },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const booking = due();
          const ids: string[] = [];
          clock.set(start);
          for (const todo of steps) {
            const id = ids.at(-1);
            if (todo.do === 'pay') {
              // Refused once the booking is paid or has ended, which is part of the law.
              const created = await pay(booking).catch(unlessRefusedAs('WRONG_STATE'));
              if (created) ids.push(created.payment_id);
            } else if (todo.do === 'end') {
              await data.transaction((tx) =>
                captures.close(
                  tx,
                  fact(booking, { payment_status: todo.paymentKnown ? 'paid' : 'unpaid' }),
                  todo.refundMinor,
                  'booking_cancelled',
                ),
              );
            } else if (todo.do === 'expire') {
              clock.set(deadline);
              await service.app.get(PaymentExpiry).sweep();
              clock.set(start);
            } else if (id) {
              await captures.capture(
                await report(id, todo.do === 'succeed' ? 'succeeded' : 'failed'),
              );
            }
          }
          await expectSoundBooks(data, booking.booking_id);
        }),
        { numRuns: 60 },
      );
    });
  });
});

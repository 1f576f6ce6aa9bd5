import { randomUUID } from 'node:crypto';
import {
  Availability,
  Bookings,
  type Caller,
  ApplicationError,
  maxAmount,
  maxPricePerHour,
  Mentors,
  SessionBookings,
  type SessionView,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BookingsRepository } from '../src/bookings/bookings.repository.js';
import { HoldExpiry } from '../src/bookings/hold-expiry.js';
import { bookingOf, MentorshipFixture, startOfTest, type TestMentor } from './fixture.js';

let mentorship: MentorshipFixture;
let mentor: TestMentor;
let mentee: Caller;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_bookings');
});
afterAll(() => mentorship.stop());

async function fresh(price = 3000): Promise<void> {
  mentorship.clock.set(startOfTest);
  mentor = await mentorship.mentor({ price_per_hour: price });
  mentee = mentorship.newUser();
}

const startingAt = (scheduled_at: string) => ({ scheduled_at });

const get = (session: SessionView, actor = mentee) =>
  mentorship.ask(SessionBookings.get, actor, { id: session.id });

describe('booking', () => {
  it('needs a verified email address, on both surfaces, from the verification on', async () => {
    await fresh();
    mentorship.unverified.add(mentee.user_id);
    expect(await mentorship.failure(SessionBookings.book, mentee, bookingOf(mentor))).toMatchObject(
      { code: 'EMAIL_NOT_VERIFIED', status: 403 },
    );
    expect(
      await mentorship.failure(Bookings.create, mentee, {
        mentor_id: mentor.id,
        session_date: '2026-11-25',
        start_time: '10:00',
        end_time: '11:00',
        topic: 'Interview',
      }),
    ).toMatchObject({ code: 'EMAIL_NOT_VERIFIED', status: 403 });
    mentorship.unverified.delete(mentee.user_id);
    await mentorship.book(mentor, mentee);
  });

  it('refuses a taken slot with the three nearest free ones', async () => {
    await fresh();
    await mentorship.book(mentor, mentee);
    const refusal = await mentorship.failure(
      SessionBookings.book,
      mentorship.newUser(),
      bookingOf(mentor),
    );
    expect(refusal).toMatchObject({ code: 'BOOKING_SLOT_TAKEN', status: 409 });
    expect(refusal.data).toEqual({
      alternatives: [
        { starts_at: '2026-11-25T08:00:00Z', ends_at: '2026-11-25T09:00:00Z' },
        { starts_at: '2026-11-25T10:00:00Z', ends_at: '2026-11-25T11:00:00Z' },
        { starts_at: '2026-11-25T10:30:00Z', ends_at: '2026-11-25T11:30:00Z' },
      ],
    });
  });

  it.for([
    ['outside of the working hours', '2026-11-25T20:00:00Z'],
    ['between two starts', '2026-11-25T09:10:00Z'],
    ['in the past', '2026-11-20T09:00:00Z'],
    ['without enough notice', '2026-11-23T08:30:00Z'],
    ['beyond the booking window', '2027-02-25T09:00:00Z'],
  ])('refuses a time %s', async ([, scheduled_at]) => {
    await fresh();
    const refusal = await mentorship.failure(
      SessionBookings.book,
      mentee,
      bookingOf(mentor, { scheduled_at }),
    );
    expect(refusal.code).toBe('BOOKING_SLOT_TAKEN');
    expect(refusal.data?.['alternatives']).toHaveLength(3);
  });

  it('refuses a second session of the same mentee at the same time', async () => {
    await fresh();
    const other = await mentorship.mentor();
    await mentorship.book(mentor, mentee);
    const refusal = await mentorship.failure(
      SessionBookings.book,
      mentee,
      bookingOf(other, { scheduled_at: '2026-11-25T09:30:00Z' }),
    );
    expect(refusal).toMatchObject({
      code: 'BOOKING_SLOT_TAKEN',
      detail: 'You have another session at that time: choose one of the alternatives.',
    });
    expect(refusal.data?.['alternatives']).toMatchObject([
      { starts_at: '2026-11-25T10:00:00Z' },
      { starts_at: '2026-11-25T10:30:00Z' },
      { starts_at: '2026-11-25T08:00:00Z' },
    ]);
  });

  it('refuses a length that the mentor does not offer', async () => {
    await fresh();
    expect(
      await mentorship.failure(
        SessionBookings.book,
        mentee,
        bookingOf(mentor, { duration_minutes: 45 }),
      ),
    ).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'duration_minutes' }] });
  });

  it('refuses mentors who book themselves, who are unknown or not approved', async () => {
    await fresh();
    expect(
      await mentorship.failure(SessionBookings.book, mentor.actor, bookingOf(mentor)),
    ).toMatchObject({
      code: 'FORBIDDEN',
    });
    const applicant = mentorship.newUser();
    const { id } = await mentorship.ask(Mentors.apply, applicant, {
      title: 'T',
      description: 'D',
      skills: ['S'],
      price_per_hour: 1,
    });
    for (const mentor_id of [id, 999_999]) {
      expect(
        await mentorship.failure(SessionBookings.book, mentee, bookingOf(mentor, { mentor_id })),
      ).toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('allows three new bookings an hour', async () => {
    await fresh();
    for (const scheduled_at of ['08:00', '09:00', '10:00']) {
      await mentorship.book(mentor, mentee, { scheduled_at: `2026-11-25T${scheduled_at}:00Z` });
      mentorship.clock.advance(60_000);
    }
    const fourth = bookingOf(mentor, { scheduled_at: '2026-11-25T12:00:00Z' });
    expect(await mentorship.failure(SessionBookings.book, mentee, fourth)).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 57 * 60,
    });
    mentorship.clock.advance(57 * 60_000);
    expect(await mentorship.ask(SessionBookings.book, mentee, fourth)).toMatchObject({
      status: 'scheduled',
    });
  });

  it('answers a repeated request with the first answer', async () => {
    await fresh();
    const context = { idempotencyKey: randomUUID() };
    const [first, ...others] = await Promise.all(
      Array.from({ length: 5 }, () => mentorship.book(mentor, mentee, {}, context)),
    );
    for (const other of others) expect(other).toEqual(first);
    expect(
      await mentorship.failure(
        SessionBookings.book,
        mentee,
        bookingOf(mentor, { topic: 'Another' }),
        context,
      ),
    ).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    const { total } = await mentorship.ask(SessionBookings.list, mentee, {});
    expect(total).toBe(1);
  });

  it('of the longest session at the highest price is due, paid, confirmed and refunded', async () => {
    await fresh(maxPricePerHour);
    const session = await mentorship.book(mentor, mentee, { duration_minutes: 90 });
    expect(session).toMatchObject({ price: 15_000_000, payment_status: 'unpaid' });
    expect(
      await mentorship.ask(Bookings.amountDue, undefined, { booking_id: session.id }),
    ).toMatchObject({ amount_minor: 1_500_000_000, due: true });
    const paymentId = await mentorship.pay(session);
    await mentorship.ask(SessionBookings.confirm, mentor.actor, { id: session.id });
    await mentorship.ask(SessionBookings.cancel, mentor.actor, { id: session.id });
    await mentorship.refund(session, paymentId, 1_500_000_000);
    expect(await get(session)).toMatchObject({ price: 15_000_000, payment_status: 'refunded' });
  });

  it('of a session that would cost more than can be paid is never on offer', async () => {
    const offer = (lengths: number[]) =>
      mentorship.dataSource.query('UPDATE mentors SET session_durations = $2 WHERE id = $1', [
        mentor.id,
        lengths,
      ]);
    await fresh(maxPricePerHour);
    await offer([60, 120]);
    await expect(offer([60, 121])).rejects.toThrow('mentors_session_prices');

    await fresh(maxAmount / 8);
    await offer([480]);
    const wholeDay = { duration_minutes: 480, scheduled_at: '2026-11-25T08:00:00Z' };
    expect(await mentorship.book(mentor, mentee, wholeDay)).toMatchObject({ price: maxAmount });
  });

  it('of a free session asks for no payment', async () => {
    await fresh(0);
    const session = await mentorship.book(mentor, mentee);
    expect(session).toMatchObject({ price: 0, payment_status: 'not_required', payment_url: null });
    expect(await mentorship.events('mentorship.booking.requested', session.id)).toMatchObject([
      { amount_due: null },
    ]);
    expect(
      await mentorship.failure(Bookings.amountDue, undefined, { booking_id: session.id }),
    ).toMatchObject({ code: 'NOT_FOUND' });
    expect(
      await mentorship.ask(SessionBookings.confirm, mentor.actor, { id: session.id }),
    ).toMatchObject({ booking_status: 'confirmed' });
  });

  it('on the Mansa surface reads date and times in the zone of the mentor', async () => {
    await fresh();
    const booking = await mentorship.ask(Bookings.create, mentee, {
      mentor_id: mentor.id,
      session_date: '2026-11-25',
      start_time: '10:00',
      end_time: '11:30',
      topic: 'Career',
      description: 'Where next?',
    });
    expect(booking).toMatchObject({
      session_date: '2026-11-25T09:00:00Z',
      ends_at: '2026-11-25T10:30:00Z',
      duration_minutes: 90,
      price: 4500,
      status: 'pending',
      booking_version: 1,
    });
    const upcoming = { upcoming: true, role: 'mentee' } as const;
    expect((await mentorship.ask(Bookings.list, mentee, upcoming)).total).toBe(1);
    mentorship.clock.set('2026-11-25T10:30:00Z');
    expect((await mentorship.ask(Bookings.list, mentee, upcoming)).total).toBe(0);
  });

  it('gives mentees whose registration event has not arrived their name', async () => {
    await fresh();
    expect((await mentorship.book(mentor, mentee)).student.full_name).toBe(
      `Person ${mentee.user_id}`,
    );
    expect(mentorship.askedIdentity).toContain(`people:${mentee.user_id}`);
  });

  it('keeps the buffers of the mentor free', async () => {
    await fresh();
    await mentorship.dataSource.query(
      'UPDATE mentors SET buffer_before_minutes = 10, buffer_after_minutes = 20 WHERE id = $1',
      [mentor.id],
    );
    await mentorship.book(mentor, mentee);
    const { slots } = await mentorship.ask(Mentors.slots, undefined, {
      id: mentor.id,
      from: '2026-11-25T00:00:00Z',
      to: '2026-11-25T12:00:00Z',
      duration_minutes: 30,
    });
    expect(slots.map(({ starts_at }) => starts_at)).toEqual([
      '2026-11-25T08:00:00Z',
      '2026-11-25T10:30:00Z',
      '2026-11-25T11:00:00Z',
      '2026-11-25T11:30:00Z',
    ]);
  });
});

describe('strangers', () => {
  it('see no booking', async () => {
    await fresh();
    const { id } = await mentorship.book(mentor, mentee);
    const stranger = mentorship.newUser();
    const attempts = [
      mentorship.failure(SessionBookings.get, stranger, { id }),
      mentorship.failure(SessionBookings.confirm, stranger, { id }),
      mentorship.failure(SessionBookings.cancel, stranger, { id }),
      mentorship.failure(SessionBookings.complete, stranger, { id }),
      mentorship.failure(Bookings.updateStatus, stranger, { id, status: 'cancelled' }),
      mentorship.failure(Bookings.addMeetingLink, stranger, { id, meeting_link: 'https://a.test' }),
    ];
    const codes = (await Promise.all(attempts)).map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
    expect((await mentorship.ask(SessionBookings.list, stranger, {})).total).toBe(0);
  });

  it('cannot pay: the mentor does not see where to', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    expect((await get(session, mentor.actor)).payment_url).toBeNull();
  });
});

describe('the mentor', () => {
  it('confirms only what is paid', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    const confirm = { id: session.id };
    expect(await mentorship.failure(SessionBookings.confirm, mentor.actor, confirm)).toMatchObject({
      code: 'WRONG_STATE',
      detail: 'The booking is not paid yet: it can be confirmed as soon as the mentee has paid.',
    });
    await mentorship.pay(session);
    expect(await mentorship.failure(SessionBookings.confirm, mentee, confirm)).toMatchObject({
      code: 'FORBIDDEN',
    });
    await mentorship.ask(SessionBookings.confirm, mentor.actor, confirm);
    expect(await mentorship.failure(SessionBookings.confirm, mentor.actor, confirm)).toMatchObject({
      code: 'WRONG_STATE',
    });
  });

  it('adds a meeting link to a confirmed booking only, and only a safe one', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    const add = (actor: Caller, meeting_link: string) =>
      mentorship.failure(Bookings.addMeetingLink, actor, { id: session.id, meeting_link });
    expect(await add(mentor.actor, 'https://zoom.us/j/1')).toMatchObject({ code: 'WRONG_STATE' });
    await mentorship.pay(session);
    await mentorship.ask(SessionBookings.confirm, mentor.actor, { id: session.id });
    expect(await add(mentee, 'https://zoom.us/j/1')).toMatchObject({ code: 'FORBIDDEN' });
    for (const unsafe of ['http://zoom.us/j/1', 'javascript:alert(1)', 'zoom']) {
      expect(await add(mentor.actor, unsafe)).toMatchObject({ code: 'VALIDATION_FAILED' });
    }
  });

  it('cannot write over a change that was not read', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    await mentorship.pay(session);
    const stale = { id: session.id, version: session.version };
    expect(await mentorship.failure(SessionBookings.confirm, mentor.actor, stale)).toMatchObject({
      code: 'STALE_VERSION',
    });
    expect(
      await mentorship.failure(Bookings.updateStatus, mentor.actor, {
        id: session.id,
        status: 'confirmed',
        booking_version: 7,
      }),
    ).toMatchObject({ code: 'STALE_VERSION' });
  });
});

describe('a missed session', () => {
  it.for([
    ['mentor', 'mentee', 0],
    ['mentee', 'mentor', 300_000],
  ] as const)(
    'is reported by the %s from its start on: the %s was absent, and %i kopecks go back',
    async ([by, absent_party, refund_minor]) => {
      await fresh();
      const session = await mentorship.confirmed(mentor, mentee);
      const actor = by === 'mentor' ? mentor.actor : mentee;
      const report = { id: session.id, status: 'no_show' } as const;
      mentorship.clock.set(new Date(Date.parse(session.scheduled_at) - 1));
      expect(await mentorship.failure(Bookings.updateStatus, actor, report)).toMatchObject({
        code: 'WRONG_STATE',
      });
      mentorship.clock.set(session.scheduled_at);
      expect(await mentorship.ask(Bookings.updateStatus, actor, report)).toMatchObject({
        status: 'no_show',
        absent_party,
      });
      expect(await get(session)).toMatchObject({ booking_status: 'no_show', absent_party });
      expect(await mentorship.events('mentorship.booking.no_show', session.id)).toMatchObject([
        { absent_party, refund_minor, payment_status: 'paid', status: 'no_show' },
      ]);
    },
  );

  it('is decided by the first report', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(session.scheduled_at);
    const report = { id: session.id, status: 'no_show' } as const;
    await mentorship.ask(Bookings.updateStatus, mentor.actor, report);
    expect(await mentorship.failure(Bookings.updateStatus, mentee, report)).toMatchObject({
      code: 'WRONG_STATE',
    });
  });
});

describe('one person', () => {
  it('who mentors at a time cannot book a session of someone else then', async () => {
    await fresh(0);
    const other = await mentorship.mentor({ price_per_hour: 0 });
    await mentorship.book(mentor, mentee, startingAt('2026-11-25T09:00:00Z'));
    const refusal = await mentorship.failure(
      SessionBookings.book,
      mentor.actor,
      bookingOf(other, startingAt('2026-11-25T09:30:00Z')),
    );
    expect(refusal).toMatchObject({
      code: 'BOOKING_SLOT_TAKEN',
      detail: 'You have another session at that time: choose one of the alternatives.',
    });
    await mentorship.book(other, mentor.actor, startingAt('2026-11-25T10:00:00Z'));
  });

  it('who learns at a time is not free as a mentor then, until the session is cancelled', async () => {
    await fresh(0);
    const other = await mentorship.mentor({ price_per_hour: 0 });
    const next = async () =>
      (await mentorship.ask(Mentors.get, undefined, { id: mentor.id })).next_available_at;
    expect(await next()).toBe('2026-11-23T09:00:00Z');
    const own = await mentorship.book(other, mentor.actor, startingAt('2026-11-23T09:00:00Z'));
    expect(await next()).toBe('2026-11-23T10:00:00Z');
    expect(
      await mentorship.failure(
        SessionBookings.book,
        mentee,
        bookingOf(mentor, startingAt('2026-11-23T09:30:00Z')),
      ),
    ).toMatchObject({ code: 'BOOKING_SLOT_TAKEN' });
    await mentorship.ask(SessionBookings.cancel, other.actor, { id: own.id });
    expect(await next()).toBe('2026-11-23T09:00:00Z');
    await mentorship.book(mentor, mentee, startingAt('2026-11-23T09:30:00Z'));
  });

  it('cannot be written into two sessions at once by anything that skips the checks', async () => {
    await fresh(0);
    const other = await mentorship.mentor({ price_per_hour: 0 });
    const { id } = await mentorship.book(mentor, mentee);
    const copy = mentorship.dataSource.query(
      `INSERT INTO bookings (mentor_id, mentee_user_id, starts_at, ends_at, blocked_from, blocked_until, status,
         payment_status, price_minor, currency, topic, created_at)
       SELECT $2, $3, starts_at, ends_at, starts_at, ends_at, 'pending', 'not_required', 0, currency, topic, created_at
       FROM bookings WHERE id = $1`,
      [id, other.id, mentor.actor.user_id],
    );
    await expect(copy).rejects.toMatchObject({ constraint: 'booking_participants_overlap' });
  });
});

describe('cancelling', () => {
  const cases = [
    ['mentor', '2026-11-25T08:59:00Z', 300_000],
    ['mentee', '2026-11-24T09:00:00Z', 300_000],
    ['mentee', '2026-11-24T09:00:01Z', 150_000],
    ['mentee', '2026-11-25T09:00:00Z', 0],
  ] as const;

  it.for(cases)('by the %s at %s refunds %i kopecks', async ([by, at, refund]) => {
    await fresh();
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(at);
    const actor = by === 'mentor' ? mentor.actor : mentee;
    const cancelled = await mentorship.ask(SessionBookings.cancel, actor, {
      id: session.id,
      reason: 'Ill, sorry.',
    });
    expect(cancelled).toMatchObject({
      status: 'cancelled',
      booking_status: `cancelled_by_${by}`,
    });
    expect(await mentorship.events('mentorship.booking.cancelled', session.id)).toMatchObject([
      {
        cancelled_by: by,
        reason: 'Ill, sorry.',
        refund_minor: refund,
        payment_status: 'paid',
        status: `cancelled_by_${by}`,
      },
    ]);
  });

  it('gives the slot back at once', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    await mentorship.ask(SessionBookings.cancel, mentee, { id: session.id });
    expect(await mentorship.book(mentor, mentorship.newUser())).toMatchObject({
      status: 'scheduled',
    });
  });

  it.for(['mentor', 'mentee'] as const)(
    'a request by the %s, before the mentor has confirmed it, refunds everything',
    async (by) => {
      await fresh();
      const session = await mentorship.book(mentor, mentee);
      await mentorship.pay(session);
      mentorship.clock.set('2026-11-25T08:59:00Z');
      const actor = by === 'mentor' ? mentor.actor : mentee;
      await mentorship.ask(SessionBookings.cancel, actor, { id: session.id });
      expect(await mentorship.events('mentorship.booking.cancelled', session.id)).toMatchObject([
        { cancelled_by: by, refund_minor: 300_000 },
      ]);
    },
  );

  it.for(['mentor', 'mentee'] as const)(
    'by the %s is not possible after the end, in neither way to ask for it',
    async (by) => {
      await fresh();
      const { id } = await mentorship.confirmed(mentor, mentee);
      mentorship.clock.set('2026-11-25T10:00:00Z');
      const actor = by === 'mentor' ? mentor.actor : mentee;
      const refusal = {
        code: 'WRONG_STATE',
        detail:
          'The session has ended: it can no longer be cancelled. Complete it, or report that it was missed.',
      };
      expect(await mentorship.failure(SessionBookings.cancel, actor, { id })).toMatchObject(
        refusal,
      );
      expect(
        await mentorship.failure(Bookings.updateStatus, actor, { id, status: 'cancelled' }),
      ).toMatchObject(refusal);
    },
  );

  it('for the other side is not possible', async () => {
    await fresh();
    const { id } = await mentorship.book(mentor, mentee);
    expect(
      await mentorship.failure(Bookings.updateStatus, mentee, {
        id,
        status: 'cancelled_by_mentor',
      }),
    ).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is not possible after completion', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(session.scheduled_at);
    await mentorship.ask(SessionBookings.complete, mentor.actor, { id: session.id });
    expect(
      await mentorship.failure(SessionBookings.cancel, mentee, { id: session.id }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });
});

describe('completing', () => {
  it('is possible from the start on', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set('2026-11-25T08:59:59Z');
    expect(
      await mentorship.failure(SessionBookings.complete, mentee, { id: session.id }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });

  it('leaves rating to the mentee, who may do it later and once', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(session.scheduled_at);
    const rate = { id: session.id, rating: 4, review: 'Good.' };
    expect(await mentorship.failure(SessionBookings.complete, mentor.actor, rate)).toMatchObject({
      code: 'FORBIDDEN',
    });
    await mentorship.ask(SessionBookings.complete, mentor.actor, {
      id: session.id,
      feedback: 'Well prepared.',
    });
    expect(
      await mentorship.failure(SessionBookings.complete, mentee, { id: session.id, review: 'Hm.' }),
    ).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'rating' }] });
    expect(await mentorship.ask(SessionBookings.complete, mentee, rate)).toMatchObject({
      status: 'completed',
      rating: 4,
    });
    expect(await mentorship.failure(SessionBookings.complete, mentee, rate)).toMatchObject({
      code: 'WRONG_STATE',
    });
    expect(await mentorship.ask(Mentors.get, undefined, { id: mentor.id })).toMatchObject({
      rating: 4,
      total_sessions: 1,
      reviews: [{ rating: 4, comment: 'Good.' }],
    });
    const [asMentee] = (await mentorship.ask(Bookings.list, mentee, {})).items;
    expect(asMentee).toMatchObject({ feedback: 'Well prepared.', rating: 4 });
  });

  it('and rating write nothing to the profile and the search of the mentor', async () => {
    await fresh(0);
    const written = () =>
      mentorship.dataSource.query<unknown[]>('SELECT ctid, xmin FROM mentors WHERE id = $1', [
        mentor.id,
      ]);
    const before = await written();
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(session.scheduled_at);
    await mentorship.ask(SessionBookings.complete, mentee, { id: session.id, rating: 5 });
    expect(await mentorship.ask(Mentors.get, undefined, { id: mentor.id })).toMatchObject({
      rating: 5,
      total_sessions: 1,
    });
    expect(await written()).toEqual(before);
  });

  it('by ten requests at once counts the session and the review once', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set(session.scheduled_at);
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        mentorship.ask(SessionBookings.complete, mentee, { id: session.id, rating: 5 }),
      ),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const details = await mentorship.ask(Mentors.get, undefined, { id: mentor.id });
    expect(details).toMatchObject({ total_sessions: 1, rating: 5 });
    expect(details.reviews).toHaveLength(1);
  });
});

describe('payments', () => {
  it('count once, whatever comes after the first', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    await mentorship.pay(session);
    const paid = await get(session);
    await mentorship.pay(session);
    expect(await get(session)).toEqual(paid);
    expect(await mentorship.events('mentorship.booking.paid', session.id)).toHaveLength(1);
  });

  it.for([
    ['amount', { amount_minor: 100 }],
    ['currency', { currency: 'EUR' }],
  ] as const)('of another %s than the price are refused', async ([, changes]) => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    await mentorship.pay(session, changes);
    expect(await get(session)).toMatchObject({ payment_status: 'unpaid' });
    const [row] = await mentorship.dataSource.query<{ error: string }[]>(
      'SELECT error FROM inbox_retries ORDER BY retry_at DESC LIMIT 1',
    );
    expect(row?.error).toContain('does not match the price');
  });

  it('that come after the booking expired are noted, and so is their return', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    mentorship.clock.advance(15 * 60_000);
    await mentorship.sweep();
    const payment = await mentorship.pay(session, { kept: false });
    expect(await get(session)).toMatchObject({ booking_status: 'expired', payment_status: 'paid' });
    expect(await mentorship.events('mentorship.booking.paid', session.id)).toEqual([]);
    await mentorship.refund(session, payment, 300_000);
    expect(await get(session)).toMatchObject({
      booking_status: 'expired',
      payment_status: 'refunded',
    });
  });

  it('that go back in parts add up', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    const payment = await mentorship.pay(session);
    await mentorship.refund(session, payment, 100_000);
    expect(await get(session)).toMatchObject({ payment_status: 'partially_refunded' });
    await mentorship.ask(SessionBookings.cancel, mentor.actor, { id: session.id });
    expect(await mentorship.events('mentorship.booking.cancelled', session.id)).toMatchObject([
      { refund_minor: 200_000 },
    ]);
    await mentorship.refund(session, payment, 200_000);
    expect(await get(session)).toMatchObject({ payment_status: 'refunded' });
  });
});

describe('time', () => {
  it('frees the slot when the mentee does not pay within 15 minutes', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    mentorship.clock.advance(15 * 60_000 - 1);
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({ booking_status: 'pending' });
    mentorship.clock.advance(1);
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({
      status: 'expired',
      payment_url: null,
      payment_status: 'unpaid',
    });
    expect(await mentorship.events('mentorship.booking.expired', session.id)).toMatchObject([
      { refund_minor: 0, payment_status: 'unpaid' },
    ]);
  });

  it('makes an overdue slot bookable before anyone swept it', async () => {
    await fresh();
    const overdue = await mentorship.book(mentor, mentee);
    mentorship.clock.advance(15 * 60_000);
    const next = mentorship.newUser();
    const { slots } = await mentorship.ask(Mentors.slots, undefined, {
      id: mentor.id,
      from: '2026-11-25T09:00:00Z',
      to: '2026-11-25T09:30:00Z',
    });
    expect(slots).toHaveLength(1);
    const winner = await mentorship.book(mentor, next);
    expect(winner.status).toBe('scheduled');
    expect(await get(overdue)).toMatchObject({ status: 'expired' });
    expect(await mentorship.events('mentorship.booking.expired', overdue.id)).toHaveLength(1);
  });

  it('leaves a hold alone that was paid in time, although the event comes later', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    mentorship.clock.advance(14 * 60_000);
    mentorship.paidBookings.add(session.id);
    mentorship.clock.advance(2 * 60_000);
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({ booking_status: 'pending' });
    const refusal = await mentorship.failure(
      SessionBookings.book,
      mentorship.newUser(),
      bookingOf(mentor),
    );
    expect(refusal).toMatchObject({ code: 'BOOKING_SLOT_TAKEN' });
    expect(refusal.data?.['alternatives']).not.toContainEqual(
      expect.objectContaining({ starts_at: session.scheduled_at }),
    );
    await mentorship.pay(session);
    expect(await get(session)).toMatchObject({ booking_status: 'pending', payment_status: 'paid' });
    expect(await mentorship.events('mentorship.booking.expired', session.id)).toEqual([]);
  });

  it('keeps holds as long as payments does not answer, and the next sweep expires them', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    const other = await mentorship.mentor();
    const unconfirmed = await mentorship.confirmed(other, mentorship.newUser(), {
      scheduled_at: '2026-11-23T09:00:00Z',
    });
    await mentorship.stopPayments();
    mentorship.clock.set('2026-11-24T10:00:00Z');
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({ booking_status: 'pending' });
    expect(await get(unconfirmed, other.actor)).toMatchObject({ booking_status: 'completed' });
    expect(
      await mentorship.failure(SessionBookings.book, mentorship.newUser(), bookingOf(mentor)),
    ).toMatchObject({ code: 'BOOKING_SLOT_TAKEN' });

    await mentorship.startPayments();
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({ booking_status: 'expired' });
    expect(mentorship.closedBookings).toContain(session.id);
  });

  it('expires the other holds when payments fails for one of them', async () => {
    await fresh();
    const sessions = [];
    for (const hour of ['08', '09', '10', '11', '12', '13', '14']) {
      const at = `2026-11-25T${hour}:00:00Z`;
      sessions.push(await mentorship.book(mentor, mentorship.newUser(), { scheduled_at: at }));
    }
    const [first, ...others] = sessions;
    mentorship.failingBookings.add(first!.id);
    mentorship.clock.advance(15 * 60_000);
    await mentorship.sweep();
    const statuses = await Promise.all(
      sessions.map(async (session) => (await get(session, mentor.actor)).booking_status),
    );
    expect(statuses).toEqual(['pending', ...others.map(() => 'expired')]);
    mentorship.failingBookings.clear();
    await mentorship.sweep();
    expect(await get(first!, mentor.actor)).toMatchObject({ booking_status: 'expired' });
  });

  it('does not expire a booking that was cancelled during the request to payments', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    mentorship.clock.advance(15 * 60_000);
    const overdue = await mentorship.service
      .get(BookingsRepository)
      .overdueHolds(mentorship.clock.now(), session.id - 1, 1);
    await mentorship.ask(SessionBookings.cancel, mentee, { id: session.id });
    await mentorship.service.get(HoldExpiry).expire(overdue);
    expect(await get(session)).toMatchObject({ booking_status: 'cancelled_by_mentee' });
    expect(await mentorship.events('mentorship.booking.expired', session.id)).toEqual([]);
  });

  it('never takes a payment that is refunded as too late for one that pays the booking', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    const late = await mentorship.pay(session, { kept: false });
    await mentorship.refund(session, late, 300_000);
    expect(await get(session)).toMatchObject({
      booking_status: 'pending',
      payment_status: 'unpaid',
    });
    expect(await mentorship.events('mentorship.booking.paid', session.id)).toEqual([]);
  });

  it('sweeps on while identity does not answer for one of the people', async () => {
    await fresh(0);
    const session = await mentorship.book(mentor, mentee);
    const nameless = await mentorship.book(mentor, mentorship.newUser(), {
      scheduled_at: '2026-11-25T11:00:00Z',
    });
    await mentorship.dataSource.query('DELETE FROM people WHERE user_id = $1', [
      nameless.student.id,
    ]);
    await mentorship.stopIdentity();
    mentorship.clock.set('2026-11-25T12:00:00Z');
    await mentorship.sweep();
    const expired = (id: number) => mentorship.events('mentorship.booking.expired', id);
    expect(await expired(session.id)).toHaveLength(1);
    expect(await expired(nameless.id)).toEqual([]);

    await mentorship.startIdentity();
    await mentorship.sweep();
    expect(await expired(nameless.id)).toMatchObject([
      { mentee_name: `Person ${nameless.student.id}` },
    ]);
  });

  it('gives everything back when the mentor never confirmed', async () => {
    await fresh();
    const session = await mentorship.book(mentor, mentee);
    await mentorship.pay(session);
    mentorship.clock.set(session.scheduled_at);
    expect(
      await mentorship.failure(SessionBookings.confirm, mentor.actor, { id: session.id }),
    ).toMatchObject({ code: 'WRONG_STATE' });
    await mentorship.sweep();
    expect(await mentorship.events('mentorship.booking.expired', session.id)).toMatchObject([
      { refund_minor: 300_000, payment_status: 'paid' },
    ]);
  });

  it('completes a confirmed session 24 hours after its end, on whatever replica', async () => {
    await fresh(0);
    const session = await mentorship.confirmed(mentor, mentee);
    mentorship.clock.set('2026-11-26T09:59:59Z');
    await mentorship.sweep();
    expect(await get(session)).toMatchObject({ booking_status: 'confirmed' });
    const replica = await mentorship.addReplica({ SWEEP_INTERVAL_MS: '100' });
    mentorship.clock.set('2026-11-26T10:00:00Z');
    await expect
      .poll(() => get(session), { timeout: 5000 })
      .toMatchObject({ booking_status: 'completed' });
    await replica.close();
    expect(await mentorship.events('mentorship.booking.completed', session.id)).toHaveLength(1);
    expect(await mentorship.ask(Mentors.get, undefined, { id: mentor.id })).toMatchObject({
      total_sessions: 1,
    });
  });

  it('moves the first free start of a mentor', async () => {
    await fresh();
    const next = async () =>
      (await mentorship.ask(Mentors.get, undefined, { id: mentor.id })).next_available_at;
    expect(await next()).toBe('2026-11-23T09:00:00Z');
    const session = await mentorship.book(mentor, mentee, { scheduled_at: '2026-11-23T09:00:00Z' });
    expect(await next()).toBe('2026-11-23T10:00:00Z');
    await mentorship.ask(SessionBookings.cancel, mentee, { id: session.id });
    expect(await next()).toBe('2026-11-23T09:00:00Z');
    mentorship.clock.advance(1);
    expect(await next()).toBe('2026-11-23T09:30:00Z');
    mentorship.clock.set('2026-11-23T15:30:00Z');
    expect(await next()).toBe('2026-11-24T08:00:00Z');
    await mentorship.ask(Availability.replace, mentor.actor, { rules: [] });
    expect(await next()).toBeNull();
  });

  it('follows the clocks of the mentor across the end of summer time', async () => {
    await fresh();
    mentorship.clock.set('2026-10-20T08:00:00Z');
    const { slots } = await mentorship.ask(Mentors.slots, undefined, {
      id: mentor.id,
      from: '2026-10-24T00:00:00Z',
      to: '2026-10-26T00:00:00Z',
      duration_minutes: 90,
    });
    const first = (date: string) => slots.find(({ starts_at }) => starts_at.startsWith(date));
    expect(first('2026-10-24')).toMatchObject({
      starts_at: '2026-10-24T07:00:00Z',
      local_start: '2026-10-24T09:00:00+02:00',
    });
    expect(first('2026-10-25')).toMatchObject({
      starts_at: '2026-10-25T08:00:00Z',
      local_start: '2026-10-25T09:00:00+01:00',
    });
  });
});

describe('while identity is slow', () => {
  it('no transaction waits for it, neither of a booking nor of a change', async () => {
    await fresh(0);
    const { id } = await mentorship.book(mentor, mentee);
    await mentorship.dataSource.query('DELETE FROM people WHERE user_id = $1', [mentee.user_id]);
    const openTransactions = async (): Promise<number | undefined> => {
      const [row] = await mentorship.dataSource.query<{ open: number }[]>(
        `SELECT count(*) AS open FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'idle in transaction'`,
      );
      return row?.open;
    };
    const asked = mentorship.askedIdentity.length;
    const { promise, resolve } = Promise.withResolvers<void>();
    mentorship.identityAnswers = promise;
    const waiting = Promise.all([
      mentorship.ask(SessionBookings.confirm, mentor.actor, { id }),
      mentorship.book(mentor, mentorship.newUser(), startingAt('2026-11-25T12:00:00Z')),
    ]);
    try {
      await expect.poll(() => mentorship.askedIdentity.length - asked).toBe(2);
      // Those of others end in a moment.
      await expect.poll(openTransactions).toBe(0);
    } finally {
      resolve();
      await waiting;
    }
  });
});

describe('a failure', () => {
  it('leaves neither booking nor event', async () => {
    await fresh();
    await expect(
      mentorship.book(mentor, mentee, { scheduled_at: '2026-11-25T20:00:00Z' }),
    ).rejects.toBeInstanceOf(ApplicationError);
    const [row] = await mentorship.dataSource.query<{ count: number }[]>(
      'SELECT count(*) FROM bookings WHERE mentee_user_id = $1',
      [mentee.user_id],
    );
    expect(row?.count).toBe(0);
  });
});

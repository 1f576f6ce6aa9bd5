import { ApplicationError, Mentors, SessionBookings } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bookingOf, MentorshipFixture, startOfTest, type TestMentor } from './fixture.js';

let mentorship: MentorshipFixture;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_contention');
});
afterAll(() => mentorship.stop());

async function deadlocks(): Promise<number> {
  // Each connection of the pool reports what it has counted when its transaction ends, but at most once a second.
  await Promise.all(
    Array.from({ length: 20 }, () =>
      mentorship.dataSource.query('SELECT pg_stat_force_next_flush(), pg_sleep(0.05)'),
    ),
  );
  const [row] = await mentorship.dataSource.query<{ deadlocks: number }[]>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return row?.deadlocks ?? 0;
}

const percentile = (times: number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? 0;

describe('64 mentees after one slot', () => {
  it('get one booking and 63 refusals with alternatives, without a deadlock or a wait of a second', async () => {
    const worst: number[] = [];
    for (let round = 0; round < 4; round++) {
      const waits: number[] = [];
      const mentor = await mentorship.mentor();
      const mentees = Array.from({ length: 64 }, () => mentorship.newUser());
      const outcomes = await Promise.all(
        mentees.map(async (mentee) => {
          const began = performance.now();
          try {
            await mentorship.ask(SessionBookings.book, mentee, bookingOf(mentor));
            return 'booked';
          } catch (error) {
            if (!(error instanceof ApplicationError)) throw error;
            const { alternatives } = error.data as { alternatives: unknown[] };
            return `${error.code} with ${alternatives.length} alternatives`;
          } finally {
            waits.push(performance.now() - began);
          }
        }),
      );
      const count = (outcome: string) => outcomes.filter((one) => one === outcome).length;
      expect([count('booked'), count('BOOKING_SLOT_TAKEN with 3 alternatives')]).toEqual([1, 63]);
      worst.push(Math.max(...waits));
    }
    expect(await deadlocks()).toBe(0);
    // The best round: others share the machine, and the first one warms up.
    expect(Math.min(...worst)).toBeLessThan(1000);
  });

  it('share overlapping slots without a double booking', async () => {
    const mentor = await mentorship.mentor();
    const tries = await Promise.allSettled(
      Array.from({ length: 64 }, (_, index) =>
        mentorship.book(mentor, mentorship.newUser(), {
          scheduled_at: new Date(
            Date.parse('2026-11-25T08:00:00Z') + (index % 14) * 1_800_000,
          ).toISOString(),
        }),
      ),
    );
    const booked = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const starts = booked
      .map(({ scheduled_at }) => Date.parse(scheduled_at))
      .toSorted((a, b) => a - b);
    const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(3_600_000);
    expect(booked.length).toBeGreaterThanOrEqual(4);
    expect(await deadlocks()).toBe(0);
  });
});

describe('64 people of whom eight are mentors', () => {
  it('and all book at once sit in one session at a time, without a deadlock or a wait of a second', async () => {
    const mentors: TestMentor[] = [];
    for (let index = 0; index < 8; index++) {
      mentors.push(await mentorship.mentor());
    }
    const mentees = Array.from({ length: 56 }, () => mentorship.newUser());
    const people = [...mentors.map(({ actor }) => actor), ...mentees];
    const before = await deadlocks();
    const worst: number[] = [];
    for (let round = 0; round < 4; round++) {
      // The same hour for all, another one in each round; mentors book their neighbour, everyone else the next in turn.
      const scheduled_at = `2026-11-2${5 + round}T09:00:00Z`;
      // Holds that are over are in the way of all.
      for (const mentor of mentors) {
        await mentorship.book(mentor, mentorship.newUser(), { scheduled_at });
      }
      mentorship.clock.advance(3_600_001);
      const waits: number[] = [];
      const outcomes = await Promise.all(
        people.map(async (actor, index) => {
          const mentor = mentors[(index + 1) % mentors.length]!;
          const began = performance.now();
          try {
            return await mentorship.book(mentor, actor, { scheduled_at });
          } catch (error) {
            if (error instanceof ApplicationError && error.code === 'BOOKING_SLOT_TAKEN') {
              return undefined;
            }
            throw error;
          } finally {
            waits.push(performance.now() - began);
          }
        }),
      );
      const seated = outcomes.flatMap((booked) =>
        booked ? [booked.mentor.user_id, booked.student.id] : [],
      );
      expect(new Set(seated).size).toBe(seated.length);
      // Each mentor sits in one, as mentor or as mentee.
      expect(mentors.filter(({ actor }) => !seated.includes(actor.user_id))).toEqual([]);
      worst.push(Math.max(...waits));
    }
    mentorship.clock.set(startOfTest);
    expect((await deadlocks()) - before).toBe(0);
    // The best round: others share the machine, and the first one warms up.
    expect(Math.min(...worst)).toBeLessThan(1000);
  });
});

describe('mentors who book each other at the same time', () => {
  it('get what is free, one of them when it is the same hour, without a deadlock', async () => {
    const pairs: [TestMentor, TestMentor][] = [];
    for (let index = 0; index < 8; index++) {
      const free = { price_per_hour: 0 };
      pairs.push([await mentorship.mentor(free), await mentorship.mentor(free)]);
    }
    const before = await deadlocks();
    for (const day of ['2026-11-25', '2026-11-26', '2026-11-27']) {
      for (const [first, second, possible] of [
        ['09', '09', 1],
        ['12', '14', 2],
      ] as const) {
        const outcomes = await Promise.all(
          pairs.map(([one, other]) =>
            Promise.allSettled([
              mentorship.book(one, other.actor, { scheduled_at: `${day}T${first}:00:00Z` }),
              mentorship.book(other, one.actor, { scheduled_at: `${day}T${second}:00:00Z` }),
            ]),
          ),
        );
        const booked = outcomes.map(
          (both) => both.filter(({ status }) => status === 'fulfilled').length,
        );
        expect(booked).toEqual(pairs.map(() => possible));
        mentorship.clock.advance(3_600_001);
      }
    }
    mentorship.clock.set(startOfTest);
    expect((await deadlocks()) - before).toBe(0);
  });
});

describe('the slots of a month with 200 bookings', () => {
  it('are found within 20 ms, nearly always', async () => {
    const { id } = await mentorship.mentor({
      availability: Object.fromEntries(
        ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'].map(
          (weekday) => [weekday, ['08:00-20:00']],
        ),
      ),
    });
    await mentorship.dataSource.query(
      `INSERT INTO bookings (mentor_id, mentee_user_id, starts_at, ends_at, blocked_from, blocked_until, status,
         payment_status, price_minor, currency, topic, created_at)
       SELECT $1, 10000 + n, at, at + interval '30 minutes', at, at + interval '30 minutes', 'confirmed',
         'not_required', 0, 'RUB', 'T', now()
       FROM (SELECT n, '2026-11-24T07:00:00Z'::timestamptz + (n / 7) * interval '1 day' + (n % 7) * interval '90 minutes' AS at
             FROM generate_series(0, 199) AS n) AS bookings`,
      [id],
    );
    const query = { id, from: '2026-11-24T00:00:00Z', to: '2026-12-24T00:00:00Z' };
    const p95s: number[] = [];
    for (let round = 0; round < 6; round++) {
      const times: number[] = [];
      for (let search = 0; search < 20; search++) {
        const began = performance.now();
        const { slots } = await mentorship.ask(Mentors.slots, undefined, {
          ...query,
          duration_minutes: 30,
        });
        times.push(performance.now() - began);
        expect(slots).toHaveLength(30 * 24 - 200);
      }
      p95s.push(percentile(times, 0.95));
    }
    // The best round: others share the machine, and the first one warms up.
    expect(Math.min(...p95s)).toBeLessThan(20);
  });
});

import {
  Bookings,
  type Caller,
  Mentors,
  MentorProfiles,
  personalData,
  SessionBookings,
  type SessionView,
  userErased,
  userRegistered,
  userUpdated,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MentorshipFixture, startOfTest, type TestMentor } from './fixture.js';

let fixture: MentorshipFixture;

beforeAll(async () => {
  fixture = await MentorshipFixture.start('erasure', { BOOKINGS_PER_HOUR: '1000' });
});

afterAll(() => fixture.stop());

const minutes = (count: number): number => count * 60_000;

async function erase({ user_id }: Caller): Promise<void> {
  await fixture.publish(userErased, user_id, { user_id });
}

/** The session as one of its parties sees it. */
const see = (actor: Caller, { id }: SessionView, locale: 'en' | 'ru' = 'en') =>
  fixture.ask(SessionBookings.get, actor, { id }, { locale });

async function completed(mentor: TestMentor, mentee: Caller, day: number): Promise<SessionView> {
  const session = await fixture.confirmed(mentor, mentee, {
    scheduled_at: `2026-11-${day}T09:00:00Z`,
    topic: 'My secret plan',
    notes: 'My notes',
  });
  fixture.clock.set(`2026-11-${day}T10:30:00Z`);
  await fixture.ask(SessionBookings.complete, mentee, {
    id: session.id,
    rating: 5,
    review: 'Wonderful',
    feedback: 'Thanks from me',
  });
  return session;
}

describe('a mentee who erases the account', () => {
  it('loses the sessions to come, by the rules of cancellation', async () => {
    const mentor = await fixture.mentor();
    const mentee = fixture.newUser();
    const soon = await fixture.confirmed(mentor, mentee, { scheduled_at: '2026-11-23T14:00:00Z' });
    const later = await fixture.confirmed(mentor, mentee, { scheduled_at: '2026-11-26T09:00:00Z' });
    const unpaid = await fixture.book(mentor, mentee, { scheduled_at: '2026-11-27T09:00:00Z' });

    await erase(mentee);
    await fixture.sweep();

    for (const session of [soon, later, unpaid]) {
      expect(await see(mentor.actor, session)).toMatchObject({
        booking_status: 'cancelled_by_mentee',
        topic: '',
        notes: null,
      });
    }
    const refunds = await Promise.all(
      [soon, later, unpaid].map(async ({ id }) => {
        const [event] = await fixture.events('mentorship.booking.cancelled', id);
        return event?.['refund_minor'];
      }),
    );
    // Half within a day, all before, and nothing of what was not paid.
    expect(refunds).toEqual([150_000, 300_000, 0]);
    // The slots are free again.
    const other = fixture.newUser();
    await fixture.book(mentor, other, { scheduled_at: '2026-11-26T09:00:00Z' });
  });

  it('is a deleted user to the mentor, in the language of the reader, and says nothing any more', async () => {
    fixture.clock.set(startOfTest);
    const mentor = await fixture.mentor();
    const mentee = fixture.newUser();
    const session = await completed(mentor, mentee, 24);
    await erase(mentee);
    await fixture.sweep();

    const view = await see(mentor.actor, session);
    expect(view).toMatchObject({
      student: { full_name: 'Deleted user', avatar_url: null },
      booking_status: 'completed',
      topic: '',
      notes: null,
      rating: 5,
      price: 3000,
    });
    expect((await see(mentor.actor, session, 'ru')).student.full_name).toBe(
      'Удалённый пользователь',
    );
    const booking = await fixture.ask(Bookings.list, mentor.actor, { role: 'mentor' });
    expect(booking.items[0]).toMatchObject({ mentee_name: 'Deleted user', feedback: null });
    // The review stays, without the name.
    const details = await fixture.ask(Mentors.get, undefined, { id: mentor.id });
    expect(details.reviews).toMatchObject([
      { rating: 5, comment: 'Wonderful', student_name: 'Deleted user' },
    ]);
    expect(details.rating).toBe(5);
  });

  it('is not brought back by events that arrive late', async () => {
    const { user_id } = fixture.newUser();
    const summary = {
      user_id,
      username: 'zaphod',
      full_name: 'Zaphod Beeblebrox',
      avatar_url: null,
      email_verified: true,
      locale: 'en' as const,
      timezone: 'UTC',
    };
    await fixture.publish(userErased, user_id, { user_id });
    await fixture.publish(userRegistered, user_id, { ...summary, role: 'student' });
    await fixture.publish(userUpdated, user_id, summary);
    await fixture.publish(userErased, user_id, { user_id });
    expect(
      await fixture.dataSource.query(
        'SELECT full_name, username, email_verified, erased FROM people WHERE user_id = $1',
        [user_id],
      ),
    ).toEqual([{ full_name: '', username: '', email_verified: false, erased: true }]);
  });

  it('has no session that was on its way while the account was erased', async () => {
    fixture.clock.set(startOfTest);
    const mentor = await fixture.mentor();
    const mentee = fixture.newUser();
    await erase(mentee);
    await fixture.sweep();
    // A booking whose checks had passed before.
    await fixture.dataSource.query(
      'UPDATE people SET erased = false, email_verified = true WHERE user_id = $1',
      [mentee.user_id],
    );
    const session = await fixture.book(mentor, mentee, { scheduled_at: '2026-11-30T09:00:00Z' });
    await fixture.sweep();
    expect((await see(mentor.actor, session)).booking_status).toBe('cancelled_by_mentee');
    fixture.clock.advance(minutes(11));
    await fixture.sweep();
    const [row] = await fixture.dataSource.query<{ settled_at: Date | null }[]>(
      'SELECT settled_at FROM erased_users WHERE user_id = $1',
      [mentee.user_id],
    );
    expect(row?.settled_at).toEqual(fixture.clock.now());
  });
});

describe('a mentor who erases the account', () => {
  it('is found no more, and every mentee gets all of the money back', async () => {
    fixture.clock.set(startOfTest);
    const mentor = await fixture.mentor({ title: 'Unforgettable mentor' });
    const mentee = fixture.newUser();
    const soon = await fixture.confirmed(mentor, mentee, { scheduled_at: '2026-11-23T14:00:00Z' });
    await erase(mentor.actor);
    await erase(mentor.actor);
    await fixture.sweep();

    expect((await fixture.failure(Mentors.get, undefined, { id: mentor.id })).code).toBe(
      'NOT_FOUND',
    );
    expect((await fixture.failure(MentorProfiles.get, undefined, { id: mentor.id })).code).toBe(
      'NOT_FOUND',
    );
    const { items } = await fixture.ask(Mentors.list, undefined, { q: 'Unforgettable' });
    expect(items).toEqual([]);
    expect(await see(mentee, soon)).toMatchObject({
      booking_status: 'cancelled_by_mentor',
      mentor: { full_name: 'Deleted user' },
      topic: 'Preparing for an interview',
    });
    const events = await fixture.events('mentorship.booking.cancelled', soon.id);
    expect(events).toMatchObject([{ cancelled_by: 'mentor', refund_minor: 300_000 }]);
    const rows = await fixture.dataSource.query<unknown[]>(
      `SELECT FROM mentors WHERE mentors::text ILIKE '%unforgettable%' OR mentors::text ILIKE '%python%' AND user_id = $1
       UNION ALL SELECT FROM availability_rules WHERE mentor_id = $2`,
      [mentor.actor.user_id, mentor.id],
    );
    expect(rows).toEqual([]);
  });

  it('is not approved afterwards, nor listed among the applications', async () => {
    const applicant = fixture.newUser();
    const { id } = await fixture.ask(Mentors.apply, applicant, {
      title: 'Developer',
      description: 'Ten years.',
      skills: ['Go'],
      price_per_hour: 1000,
    });
    await erase(applicant);
    expect((await fixture.failure(Mentors.approve, fixture.admin, { id })).code).toBe(
      'WRONG_STATE',
    );
    const { items } = await fixture.ask(Mentors.applications, fixture.admin, {
      status: 'rejected',
    });
    expect(items.filter((item) => item.id === id)).toEqual([]);
  });

  it('keeps the session that goes on until it has ended', async () => {
    fixture.clock.set(startOfTest);
    const mentor = await fixture.mentor();
    const mentee = fixture.newUser();
    const session = await fixture.confirmed(mentor, mentee, {
      scheduled_at: '2026-11-24T09:00:00Z',
    });
    fixture.clock.set('2026-11-24T10:30:00Z');
    await erase(mentor.actor);
    await fixture.sweep();
    expect((await see(mentee, session)).booking_status).toBe('confirmed');
    fixture.clock.set('2026-11-25T11:00:00Z');
    await fixture.sweep();
    expect((await see(mentee, session)).booking_status).toBe('completed');
  });
});

describe('the export of mentorship', () => {
  it('has every row of the user, in every role, and nothing of the others', async () => {
    fixture.clock.set(startOfTest);
    const mentor = await fixture.mentor({ title: 'My own title' });
    const mentee = fixture.newUser();
    const stranger = fixture.newUser();
    await completed(mentor, mentee, 24);
    fixture.clock.set(startOfTest);
    await fixture.book(mentor, stranger, {
      scheduled_at: '2026-11-30T09:00:00Z',
      topic: 'Not yours',
    });

    const collect = async (user_id: number) => {
      const part = await fixture.ask(personalData('mentorship').collect, undefined, { user_id });
      expect(part.next).toBeNull();
      return Object.fromEntries(part.sections.map(({ name, items }) => [name, items]));
    };
    expect(await collect(mentee.user_id)).toMatchObject({
      bookings_as_mentee: [
        { topic: 'My secret plan', notes: 'My notes', mentee_feedback: 'Thanks from me' },
      ],
      reviews_written: [{ rating: 5, comment: 'Wonderful' }],
      mentors: [],
      bookings_as_mentor: [],
    });
    expect(JSON.stringify(await collect(mentee.user_id))).not.toMatch(/Not yours|My own title/);
    const own = await collect(mentor.actor.user_id);
    expect(own).toMatchObject({
      mentors: [{ title: 'My own title' }],
      mentor_stats: [{ rating_count: 1 }],
      reviews_received: [{ rating: 5 }],
      bookings_as_mentee: [],
    });
    expect(own['availability_rules']).toHaveLength(7);
    expect(own['bookings_as_mentor']).toHaveLength(2);
  });

  it('has a section for every table that names a user', async () => {
    const tables = await fixture.dataSource.query<{ name: string }[]>(
      `SELECT DISTINCT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND (column_name LIKE '%user_id' OR column_name = 'mentor_id') ORDER BY 1`,
    );
    const part = await fixture.ask(personalData('mentorship').collect, undefined, { user_id: 1 });
    const names = new Set(
      part.sections.map(({ name }) => name.replace(/_(as|written|received).*/, '')),
    );
    // Who sits in which booking, made of the bookings; and who has nothing any more.
    const elsewhere = ['booking_participants', 'erased_users'];
    const missing = tables.filter(({ name }) => !names.has(name) && !elsewhere.includes(name));
    expect(missing).toEqual([]);
  });
});

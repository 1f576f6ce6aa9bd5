import { Mentors } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedMentors } from '../src/demo-data/seed-mentors.js';
import { MentorshipFixture } from './fixture.js';

let mentorship: MentorshipFixture;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_demo');
});
afterAll(() => mentorship.stop());

/** The languages that the last sentence of a description names. */
function languagesOf(description: string): string {
  const last = description.split(/(?<=[.!?]) /).at(-1) ?? '';
  const names = { English: /\bEnglish\b|английск/, Russian: /\bRussian\b|русск/ };
  return Object.entries(names)
    .filter(([, name]) => name.test(last))
    .map(([language]) => language)
    .join(' and ');
}

describe('the demo data', () => {
  it('shows 50 mentors with names, ratings that agree with their reviews, and free slots', async () => {
    const seed = () =>
      mentorship.dataSource.transaction((tx) => seedMentors(tx, mentorship.clock.now()));
    const first = await seed();
    expect(first.mentors).toBe(50);
    expect(await seed()).toEqual(first);

    const { items, total } = await mentorship.ask(Mentors.list, undefined, { limit: 100 });
    expect(total).toBe(50);
    expect(items.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
    expect(items.filter(({ available, user }) => !available || user.full_name === '')).toEqual([]);

    const wrong = await mentorship.dataSource.query<unknown[]>(`
      SELECT m.mentor_id FROM mentor_stats m
      WHERE (m.rating_count, m.rating_sum) <>
          (SELECT count(*), sum(rating) FROM reviews WHERE mentor_id = m.mentor_id)
        OR m.completed_sessions <> (
          SELECT count(*) FROM bookings WHERE mentor_id = m.mentor_id AND status = 'completed')
        OR m.rating_count NOT BETWEEN 3 AND 12`);
    expect(wrong).toEqual([]);
  });

  it('has every session inside the hours of its mentor, at three lengths, and nobody in two at once', async () => {
    const outside = await mentorship.dataSource.query<unknown[]>(`
      SELECT b.id FROM bookings b JOIN mentors m ON m.id = b.mentor_id
      WHERE NOT EXISTS (
        SELECT FROM availability_rules r
        WHERE r.mentor_id = m.id
          AND r.day_of_week = extract(dow FROM b.starts_at AT TIME ZONE m.timezone)
          AND make_interval(mins => r.start_minute) <= (b.starts_at AT TIME ZONE m.timezone)::time
          AND make_interval(mins => r.end_minute) >= (b.ends_at AT TIME ZONE m.timezone)::time)`);
    expect(outside).toEqual([]);
    const lengths = await mentorship.dataSource.query<{ minutes: number }[]>(
      'SELECT DISTINCT (extract(epoch FROM ends_at - starts_at) / 60)::int AS minutes FROM bookings ORDER BY 1',
    );
    expect(lengths.map(({ minutes }) => minutes)).toEqual([30, 60, 90]);
    const twice = await mentorship.dataSource.query<unknown[]>(`
      SELECT a.id FROM bookings a JOIN bookings b ON a.id < b.id AND a.during && b.during
        AND (a.mentor_id = b.mentor_id OR a.mentee_user_id = b.mentee_user_id)`);
    expect(twice).toEqual([]);
  });

  it('has sessions in every status, before and after today, and ratings from 2 to 5', async () => {
    const statuses = await mentorship.dataSource.query<{ status: string; upcoming: boolean }[]>(
      'SELECT DISTINCT status, starts_at > $1 AS upcoming FROM bookings ORDER BY status, upcoming',
      [mentorship.clock.now()],
    );
    expect(statuses.map(({ status, upcoming }) => `${status} ${upcoming}`)).toEqual([
      'cancelled_by_mentee false',
      'cancelled_by_mentee true',
      'cancelled_by_mentor false',
      'completed false',
      'confirmed true',
      'expired false',
      'no_show false',
      'pending true',
    ]);
    const ratings = await mentorship.dataSource.query<{ rating: number }[]>(
      'SELECT DISTINCT rating FROM reviews ORDER BY rating',
    );
    expect(ratings.map(({ rating }) => rating)).toEqual([2, 3, 4, 5]);
  });

  it('has a payment exactly for each paid session', async () => {
    const { payments } = await mentorship.dataSource.transaction((tx) =>
      seedMentors(tx, mentorship.clock.now()),
    );
    const paid = await mentorship.dataSource.query<{ id: number }[]>(
      `SELECT id FROM bookings WHERE payment_status NOT IN ('unpaid', 'not_required') ORDER BY id`,
    );
    expect(payments.map(({ booking_id }) => booking_id)).toEqual(paid.map(({ id }) => id));
    expect(payments.length).toBeGreaterThan(300);
  });

  it('lets men and women speak of themselves as Russian has it', async () => {
    const reviews = await mentorship.dataSource.query<{ author: number; comment: string }[]>(
      'SELECT author_user_id AS author, comment FROM reviews',
    );
    const said = (words: RegExp) =>
      new Set(reviews.filter(({ comment }) => words.test(comment)).map(({ author }) => author));
    // Михаил, Кирилл, Роман and Егор; Алина, Дарья and Полина.
    const [men, women] = [
      [52, 58, 64, 70],
      [55, 61, 67],
    ];
    const hisWords = [...said(/(получил|Ушёл|ожидал|рассчитывал)(?!а)/)];
    const herWords = [...said(/получила|Ушла|ожидала|рассчитывала/)];
    expect(hisWords.length).toBeGreaterThan(0);
    expect(herWords.length).toBeGreaterThan(0);
    expect(hisWords.filter((author) => !men.includes(author))).toEqual([]);
    expect(herWords.filter((author) => !women.includes(author))).toEqual([]);
  });

  it('has cancellations explained in the language of who cancelled', async () => {
    const reasons = await mentorship.dataSource.query<
      { byMentor: boolean; isRussian: boolean; reason: string }[]
    >(`
      SELECT b.status = 'cancelled_by_mentor' AS "byMentor", b.cancellation_reason AS reason,
        CASE WHEN b.status = 'cancelled_by_mentor' THEN m.description ~ '[а-яё]'
          ELSE mentee_user_id % 3 = 1 END AS "isRussian"
      FROM bookings b JOIN mentors m ON m.id = b.mentor_id
      WHERE b.status IN ('cancelled_by_mentor', 'cancelled_by_mentee')`);
    for (const { reason, isRussian } of reasons) expect(/[а-яё]/i.test(reason)).toBe(isRussian);
    const kinds = new Set(reasons.map(({ byMentor, isRussian }) => `${byMentor} ${isRussian}`));
    expect(kinds.size).toBe(4);
  });

  it('says of each mentor in which languages the sessions are', async () => {
    const { items } = await mentorship.ask(Mentors.list, undefined, { limit: 100 });
    const spoken = Map.groupBy(items, ({ description }) => languagesOf(description));
    expect([...spoken.keys()].toSorted()).toEqual(['English', 'English and Russian', 'Russian']);
    // Everyone teaches in the language of the profile.
    const isRussian = ({ description }: (typeof items)[number]) => /[а-яё]/.test(description);
    expect(spoken.get('English')?.some(isRussian)).toBe(false);
    expect(spoken.get('Russian')?.every(isRussian)).toBe(true);
  });

  it('leaves the next ids to new mentors', async () => {
    const { id } = await mentorship.mentor();
    expect(id).toBe(51);
  });
});

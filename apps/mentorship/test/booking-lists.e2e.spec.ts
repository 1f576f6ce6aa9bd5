import { Bookings, SessionBookings } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BookingSearch, bookingSearchQueries } from '../src/bookings/bookings.repository.js';
import { MentorshipFixture } from './fixture.js';

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

const nodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodes)];

describe('the list of one person among 60 000 bookings', () => {
  let mentorship: MentorshipFixture;
  /** Mentor 7 of 600, with 100 sessions, who has learnt in 12. */
  const userId = 10_007;
  const actor = { user_id: userId, roles: ['student' as const], session_id: 1 };

  beforeAll(async () => {
    mentorship = await MentorshipFixture.start('mentorship_lists');
    await mentorship.dataSource.query(`
      INSERT INTO mentors (id, user_id, status, title, description, skills, skill_keys, search_text,
        price_per_hour_minor, timezone, applied_at)
      SELECT n, 10000 + n, 'approved', 'T', 'D', '{}', '{}', 't', 0, 'Europe/Berlin', now()
      FROM generate_series(1, 600) AS n`);
    await mentorship.dataSource.query(`
      INSERT INTO bookings (mentor_id, mentee_user_id, starts_at, ends_at, blocked_from, blocked_until, status,
        payment_status, price_minor, currency, topic, created_at)
      SELECT 1 + n % 600, 10001 + (n * 7) % 5003, at, at + interval '1 hour', at, at + interval '1 hour', 'completed',
        'not_required', 0, 'RUB', 'T', at
      FROM generate_series(1, 60000) AS n, LATERAL (SELECT '2020-01-01T00:00Z'::timestamptz + n * interval '1 hour') AS start (at)`);
    await mentorship.dataSource.query('ANALYZE');
  });
  afterAll(() => mentorship.stop());

  const at = new Date('2026-11-01T00:00:00Z');
  const searches: [string, Omit<BookingSearch, 'userId'>][] = [
    ['both sides', { limit: 20, offset: 0 }],
    ['the third page', { limit: 20, offset: 40 }],
    ['the mentor', { party: 'mentor', limit: 20, offset: 0 }],
    ['the mentee', { party: 'mentee', limit: 20, offset: 0 }],
    ['a status', { statuses: ['completed'], limit: 20, offset: 0 }],
    ['a span', { from: at, to: new Date('2026-12-01T00:00:00Z'), limit: 20, offset: 0 }],
    ['what is to come', { endsAfter: at, ascending: true, limit: 20, offset: 0 }],
  ];

  it.for(searches)('for %s reads no whole table and few pages', async ([, search]) => {
    const { count, page } = bookingSearchQueries({ ...search, userId });
    for (const { text, values } of [count, page]) {
      const [row] = await mentorship.dataSource.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        values,
      );
      const plan = row!['QUERY PLAN'][0].Plan;
      const scanned = nodes(plan).flatMap((node) =>
        node['Node Type'] === 'Seq Scan' ? [node['Relation Name']] : [],
      );
      expect(scanned).not.toContain('bookings');
      expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(400);
    }
  });

  it('shows the sessions of both roles in one order, page by page', async () => {
    const expected = await mentorship.dataSource.query<{ id: number }[]>(
      'SELECT id FROM bookings WHERE mentor_id = 7 OR mentee_user_id = $1 ORDER BY starts_at DESC, id DESC',
      [userId],
    );
    const ids: number[] = [];
    for (let page = 1; page <= 3; page++) {
      const answer = await mentorship.ask(SessionBookings.list, actor, { page, limit: 50 });
      expect(answer.total).toBe(expected.length);
      ids.push(...answer.items.map(({ id }) => id));
    }
    expect(ids).toEqual(expected.map(({ id }) => id));
    const asMentee = await mentorship.ask(Bookings.list, actor, { role: 'mentee' });
    expect(new Set(asMentee.items.map(({ mentee_id }) => mentee_id))).toEqual(new Set([userId]));
  });
});

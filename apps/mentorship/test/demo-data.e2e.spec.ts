import { Mentors } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seedMentors } from '../src/demo-data/seed-mentors.js';
import { MentorshipFixture } from './fixture.js';

let mentorship: MentorshipFixture;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_demo');
});
afterAll(() => mentorship.stop());

describe('the demo data', () => {
  it('shows 50 mentors with names, ratings that agree with their reviews, and free slots', async () => {
    const seed = () =>
      mentorship.dataSource.transaction((tx) => seedMentors(tx, mentorship.clock.now()));
    expect(await seed()).toEqual({ mentors: 50 });
    expect(await seed()).toEqual({ mentors: 50 });

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
        OR m.completed_sessions <> (SELECT count(*) FROM bookings WHERE mentor_id = m.mentor_id)
        OR m.rating_count NOT BETWEEN 3 AND 12`);
    expect(wrong).toEqual([]);
  });

  it('leaves room for whoever comes next', async () => {
    const { id } = await mentorship.mentor();
    expect(id).toBe(51);
  });
});

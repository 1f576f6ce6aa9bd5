import {
  Availability,
  type Caller,
  MentorProfiles,
  Mentors,
  SessionBookings,
  userMemberJoined,
  userUpdated,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MentorshipFixture } from './fixture.js';

let mentorship: MentorshipFixture;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_mentors');
});
afterAll(() => mentorship.stop());

const application = {
  title: 'Designer',
  description: 'Twelve years of design.',
  skills: ['Figma'],
  price_per_hour: 1999.99,
  timezone: 'Europe/Berlin',
};

describe('applying', () => {
  it('needs a verified email address', async () => {
    const actor = mentorship.newUser();
    mentorship.unverified.add(actor.user_id);
    expect(await mentorship.failure(Mentors.apply, actor, application)).toMatchObject({
      code: 'EMAIL_NOT_VERIFIED',
      status: 403,
    });
    mentorship.unverified.delete(actor.user_id);
    await mentorship.ask(Mentors.apply, actor, application);
  });

  it('names every range that does not fit', async () => {
    const failure = await mentorship.failure(Mentors.apply, mentorship.newUser(), {
      ...application,
      availability: { monday: ['10:00-12:00', '11:00-13:00'], friday: ['18:00-09:00'] },
    });
    expect(failure.code).toBe('VALIDATION_FAILED');
    expect(failure.errors?.map(({ field }) => field)).toEqual([
      'availability.monday[1]',
      'availability.friday[0]',
    ]);
  });

  it('takes the time zone of the profile when none is given', async () => {
    const actor = mentorship.newUser();
    const { timezone, ...rest } = application;
    const { id, message } = await mentorship.ask(Mentors.apply, actor, rest);
    expect(message).toBe('Your application has been sent for review.');
    await mentorship.ask(Mentors.approve, mentorship.admin, { id });
    expect(await mentorship.ask(Availability.mine, actor, {})).toEqual({ timezone, rules: [] });
  });

  it('takes a zone of an older identity as one to compute with', async () => {
    const actor = mentorship.newUser();
    mentorship.zones.set(actor.user_id, 'PST');
    const { timezone: _, ...rest } = application;
    const { id } = await mentorship.ask(Mentors.apply, actor, rest);
    const rows = await mentorship.dataSource.query<unknown[]>(
      'SELECT timezone FROM mentors WHERE id = $1',
      [id],
    );
    expect(rows).toEqual([{ timezone: 'America/Los_Angeles' }]);
  });

  it('is possible once, and again after a rejection', async () => {
    const actor = mentorship.newUser();
    const { id } = await mentorship.ask(Mentors.apply, actor, application);
    expect(await mentorship.failure(Mentors.apply, actor, application)).toMatchObject({
      code: 'ALREADY_MENTOR',
    });
    expect(
      await mentorship.ask(Mentors.reject, mentorship.admin, { id, reason: 'Say more, please.' }),
    ).toMatchObject({ status: 'rejected' });
    expect(await mentorship.events('mentorship.mentor.rejected', id)).toEqual([
      {
        mentor_id: id,
        user_id: actor.user_id,
        decided_by: mentorship.admin.user_id,
        reason: 'Say more, please.',
      },
    ]);
    expect(await mentorship.ask(Mentors.apply, actor, application)).toMatchObject({
      id,
      status: 'pending',
    });
    await mentorship.ask(Mentors.approve, mentorship.admin, { id });
    expect(await mentorship.failure(Mentors.apply, actor, application)).toMatchObject({
      code: 'ALREADY_MENTOR',
    });
  });

  it('by ten requests at once makes one application', async () => {
    const actor = mentorship.newUser();
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, () => mentorship.ask(Mentors.apply, actor, application)),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('is decided once, and by admins only', async () => {
    const { id } = await mentorship.ask(Mentors.apply, mentorship.newUser(), application);
    const student = mentorship.newUser();
    expect(await mentorship.failure(Mentors.approve, student, { id })).toMatchObject({
      code: 'FORBIDDEN',
    });
    await mentorship.ask(Mentors.approve, mentorship.admin, { id });
    expect(await mentorship.failure(Mentors.approve, mentorship.admin, { id })).toMatchObject({
      code: 'WRONG_STATE',
    });
    expect(
      await mentorship.failure(Mentors.reject, mentorship.admin, { id, reason: 'No.' }),
    ).toMatchObject({ code: 'WRONG_STATE' });
    expect(await mentorship.events('mentorship.mentor.approved', id)).toHaveLength(1);
    expect(
      await mentorship.failure(Mentors.approve, mentorship.admin, { id: 999_999 }),
    ).toMatchObject({ code: 'NOT_FOUND' });
  });
});

const ids = async (query: object): Promise<number[]> =>
  (await mentorship.ask(Mentors.list, undefined, query)).items.map(({ id }) => id);

describe('the list of mentors', () => {
  it('is filtered, searched and sorted', async () => {
    const cheap = await mentorship.mentor({
      title: 'Baker of bread_100%',
      skills: ['Sourdough', 'Rye'],
      price_per_hour: 500,
    });
    const dear = await mentorship.mentor({
      title: 'Pastry chef',
      skills: ['sourdough'],
      price_per_hour: 9000,
    });
    expect(await ids({ skill: 'SOURDOUGH', sort: 'price' })).toEqual([cheap.id, dear.id]);
    expect(await ids({ skill: 'sourdough', sort: '-price' })).toEqual([dear.id, cheap.id]);
    expect(await ids({ skill: 'sourdough', sort: 'newest' })).toEqual([dear.id, cheap.id]);
    expect(await ids({ skill: 'sourdough', min_price: 500.01 })).toEqual([dear.id]);
    expect(await ids({ skill: 'sourdough', max_price: 8999.99 })).toEqual([cheap.id]);
    expect(await ids({ skill: 'sour' })).toEqual([]);
    expect(await ids({ skill: 'sourdough', min_rating: 1 })).toEqual([]);
    expect(await ids({ q: 'CHEF pastry' })).toEqual([dear.id]);
    expect(await ids({ q: 'chef bread' })).toEqual([]);
    expect(await ids({ q: 'bread_100%' })).toEqual([cheap.id]);
    expect(await ids({ q: 'bread%100' })).toEqual([]);
    expect(await ids({ q: `Person ${dear.actor.user_id}` })).toEqual([dear.id]);
    expect(await ids({ q: `'); DROP TABLE mentors --` })).toEqual([]);
  });

  it('takes very short words of a search for names of skills', async () => {
    const { id } = await mentorship.mentor({
      title: 'Polyglot of the shortest names',
      skills: ['Go', 'C#', '1С', 'C++'],
    });
    for (const q of ['Go', 'go polyglot', 'c#', '1с', 'C++', 'GO c++ C# 1С polyglot']) {
      expect(await ids({ q })).toEqual([id]);
    }
    expect(await ids({ q: 'polyglot lo' })).toEqual([]);
    expect(await ids({ q: 'th polyglot' })).toEqual([]);
  });

  it('shows a mentor whose stored zone nothing computes with any more', async () => {
    const { id, actor } = await mentorship.mentor({ skills: ['Clocks'] });
    const other = await mentorship.mentor({ skills: ['Clocks'] });
    await mentorship.dataSource.query(
      `WITH zone AS (UPDATE mentors SET timezone = 'PST' WHERE id = $1)
       UPDATE mentor_stats SET next_available_until = NULL WHERE mentor_id = $1`,
      [id],
    );
    const { items } = await mentorship.ask(Mentors.list, undefined, { skill: 'clocks' });
    expect(items.map((item) => [item.id, item.available])).toEqual([
      [id, true],
      [other.id, true],
    ]);
    const zone = 'America/Los_Angeles';
    const { slots, timezone } = await mentorship.ask(Mentors.slots, undefined, { id });
    expect(timezone).toBe(zone);
    expect(slots[0]?.local_start).toMatch(/T09:00:00-08:00$/);
    expect(await mentorship.ask(Mentors.get, undefined, { id })).toMatchObject({ timezone: zone });
    expect(await mentorship.ask(MentorProfiles.availability, undefined, { id })).toMatchObject({
      timezone: zone,
    });
    expect(await mentorship.ask(Availability.mine, actor, {})).toMatchObject({ timezone: zone });
    expect(await mentorship.ask(MentorProfiles.get, undefined, { id })).toMatchObject({
      availability_timezone: zone,
    });
    const session = await mentorship.book({ id, actor }, mentorship.newUser(), {
      scheduled_at: slots[0]!.starts_at,
    });
    expect(session.scheduled_at).toBe(slots[0]!.starts_at);
    expect(await mentorship.events('mentorship.booking.requested', session.id)).toMatchObject([
      { timezone: zone },
    ]);
  });

  it('leaves out when a mentor is free whose calendar cannot be computed', async () => {
    const broken = await mentorship.mentor({ skills: ['Chaos'] });
    const sound = await mentorship.mentor({ skills: ['Chaos'] });
    await mentorship.dataSource.query(
      'ALTER TABLE availability_rules DROP CONSTRAINT availability_rules_range',
    );
    await mentorship.dataSource.query(
      'UPDATE availability_rules SET end_minute = -90 WHERE mentor_id = $1',
      [broken.id],
    );
    const { items } = await mentorship.ask(Mentors.list, undefined, { skill: 'chaos' });
    expect(items.map((item) => [item.id, item.available])).toEqual([
      [broken.id, false],
      [sound.id, true],
    ]);
    await mentorship.dataSource.query('DELETE FROM availability_rules WHERE mentor_id = $1', [
      broken.id,
    ]);
    await mentorship.dataSource.query(
      `ALTER TABLE availability_rules ADD CONSTRAINT availability_rules_range CHECK (
         0 <= start_minute AND start_minute < end_minute AND end_minute <= 1440)`,
    );
  });

  it('is searched in Cyrillic by the trigrams of the index', async () => {
    const { id } = await mentorship.mentor({ title: 'Пекарь ржаного хлеба' });
    expect(await ids({ q: 'РЖАНОГО' })).toEqual([id]);
    const [row] = await mentorship.dataSource.query<{ trigrams: number }[]>(
      `SELECT cardinality(show_trgm('ржаного')) AS trigrams`,
    );
    expect(row?.trigrams).toBeGreaterThan(0);
  });

  it('comes in pages', async () => {
    for (const _ of Array.from({ length: 3 })) await mentorship.mentor({ skills: ['Paging'] });
    const page = { skill: 'paging', limit: 2, sort: 'newest' } as const;
    const first = await mentorship.ask(Mentors.list, undefined, page);
    const second = await mentorship.ask(Mentors.list, undefined, { ...page, page: 2 });
    expect(first).toMatchObject({ total: 3, page: 1, pages: 2 });
    expect(second).toMatchObject({ total: 3, page: 2, pages: 2 });
    expect(new Set([...first.items, ...second.items].map(({ id }) => id)).size).toBe(3);
  });

  it('shows the Mansa surface the same mentors in its own shape', async () => {
    const { id, actor } = await mentorship.mentor({ skills: ['Mansa'] });
    const { items } = await mentorship.ask(MentorProfiles.list, undefined, { expertise: 'mansa' });
    expect(items).toEqual([
      {
        id,
        user_id: actor.user_id,
        name: `Person ${actor.user_id}`,
        bio: 'Ten years of Python.',
        photo_url: null,
        expertise: ['Mansa'],
        company: null,
        job_title: 'Senior Python Developer',
        years_of_experience: null,
        linkedin_url: null,
        github_url: null,
        twitter_url: null,
        rating: null,
        total_sessions: 0,
        availability_timezone: 'Europe/Berlin',
        is_approved: true,
        version: 2,
      },
    ]);
    expect(await mentorship.ask(MentorProfiles.mine, actor, {})).toEqual(items[0]);
    const available = await mentorship.ask(MentorProfiles.availability, undefined, { id });
    expect(available.rules).toHaveLength(7);
    expect(available.slots[0]).toEqual({
      starts_at: '2026-11-23T09:00:00Z',
      ends_at: '2026-11-23T10:00:00Z',
      local_start: '2026-11-23T10:00:00+01:00',
    });
    expect(await mentorship.failure(MentorProfiles.mine, mentorship.newUser(), {})).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('the details of a mentor', () => {
  it('show the email address to booked mentees alone, and go without it when identity is down', async () => {
    const mentor = await mentorship.mentor();
    const { id, actor } = mentor;
    const email = async (caller?: Caller) =>
      (await mentorship.ask(Mentors.get, caller, { id })).user.email;
    const mentee = mentorship.newUser();
    const other = mentorship.newUser();
    expect(await email()).toBeUndefined();
    expect(await email(actor)).toBeUndefined();
    const pending = await mentorship.book(mentor, mentee);
    expect(await email(mentee)).toBeUndefined();
    await mentorship.pay(pending);
    await mentorship.ask(SessionBookings.confirm, actor, { id: pending.id });
    expect(await email(mentee)).toBe(`person${actor.user_id}@example.com`);
    expect(await email(other)).toBeUndefined();
    await mentorship.stopIdentity();
    expect(await email(mentee)).toBeUndefined();
    await mentorship.startIdentity();
    await mentorship.ask(SessionBookings.cancel, mentee, { id: pending.id });
    expect(await email(mentee)).toBeUndefined();
  });

  it('show it to mentees after the session, too', async () => {
    const mentor = await mentorship.mentor();
    const mentee = mentorship.newUser();
    const session = await mentorship.confirmed(mentor, mentee);
    await mentorship.dataSource.query(
      `UPDATE bookings SET status = 'completed', completed_at = starts_at WHERE id = $1`,
      [session.id],
    );
    const details = await mentorship.ask(Mentors.get, mentee, { id: mentor.id });
    expect(details.user.email).toBe(`person${mentor.actor.user_id}@example.com`);
  });

  it('follow a change of name', async () => {
    const { id, actor } = await mentorship.mentor();
    await mentorship.publish(userUpdated, actor.user_id, {
      user_id: actor.user_id,
      username: 'ada',
      full_name: 'Ada Lovelace',
      avatar_url: 'https://cdn.test/ada.png',
      email_verified: true,
      locale: 'en',
      timezone: 'Europe/Berlin',
    });
    const { user } = await mentorship.ask(Mentors.get, undefined, { id });
    expect(user).toEqual({
      id: actor.user_id,
      full_name: 'Ada Lovelace',
      avatar_url: 'https://cdn.test/ada.png',
    });
  });
});

describe('availability', () => {
  it('is replaced as a whole or not at all', async () => {
    const { actor } = await mentorship.mentor();
    const nine = { start_time: '09:00', end_time: '17:00' };
    const failure = await mentorship.failure(Availability.replace, actor, {
      rules: [
        { day_of_week: 1, ...nine },
        { day_of_week: 2, ...nine },
        { day_of_week: 1, start_time: '16:00', end_time: '18:00' },
      ],
    });
    expect(failure).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'rules[2]' }] });
    expect((await mentorship.ask(Availability.mine, actor, {})).rules).toHaveLength(7);
    const { rules, timezone } = await mentorship.ask(Availability.replace, actor, {
      timezone: 'America/New_York',
      rules: [
        { day_of_week: 3, ...nine },
        { specific_date: '2026-11-25', start_time: '12:00', end_time: '24:00' },
      ],
    });
    expect(timezone).toBe('America/New_York');
    expect(rules).toMatchObject([
      { day_of_week: 3, specific_date: null, is_recurring: true },
      { day_of_week: null, specific_date: '2026-11-25', is_recurring: false, end_time: '24:00' },
    ]);
  });

  it('of one date replaces that of its weekday', async () => {
    const { id, actor } = await mentorship.mentor();
    await mentorship.ask(Availability.replace, actor, {
      rules: [
        { day_of_week: 3, start_time: '09:00', end_time: '11:00' },
        { specific_date: '2026-11-25', start_time: '20:00', end_time: '21:00' },
        { specific_date: '2026-12-02', start_time: '00:00', end_time: '24:00', is_active: false },
      ],
    });
    const { slots } = await mentorship.ask(Mentors.slots, undefined, {
      id,
      to: '2026-12-10T00:00:00Z',
    });
    expect(slots.map(({ starts_at }) => starts_at)).toEqual([
      '2026-11-25T19:00:00Z',
      '2026-12-09T08:00:00Z',
      '2026-12-09T08:30:00Z',
      '2026-12-09T09:00:00Z',
    ]);
  });

  it('belongs to approved mentors', async () => {
    const applicant = mentorship.newUser();
    await mentorship.ask(Mentors.apply, applicant, application);
    for (const actor of [applicant, mentorship.newUser()]) {
      expect(await mentorship.failure(Availability.mine, actor, {})).toMatchObject({
        code: 'NOT_A_MENTOR',
      });
      expect(await mentorship.failure(Availability.replace, actor, { rules: [] })).toMatchObject({
        code: 'NOT_A_MENTOR',
      });
    }
  });

  it('is searched for at most 62 days', async () => {
    const { id } = await mentorship.mentor();
    const from = '2026-11-23T00:00:00Z';
    for (const to of ['2027-01-24T00:00:01Z', from]) {
      expect(await mentorship.failure(Mentors.slots, undefined, { id, from, to })).toMatchObject({
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'to' }],
      });
    }
    expect(await mentorship.failure(Mentors.slots, undefined, { id: 999_999 })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

function joined(user_id: number, is_mentor = true): Promise<void> {
  return mentorship.publish(userMemberJoined, user_id, {
    user_id,
    is_mentor,
    is_mentee: !is_mentor,
    timezone: 'Europe/Berlin',
  });
}

function profileOf(actor: Caller) {
  return mentorship.ask(MentorProfiles.mine, actor, {});
}

describe('a mentor of the members directory', () => {
  it('has an approved profile without moderation, once, however often it is published', async () => {
    const actor = mentorship.newUser();
    await joined(actor.user_id);
    const profile = await profileOf(actor);
    expect(profile).toMatchObject({
      user_id: actor.user_id,
      is_approved: true,
      bio: '',
      expertise: [],
      availability_timezone: 'Europe/Berlin',
    });
    await joined(actor.user_id);
    expect(await profileOf(actor)).toEqual(profile);
    expect(await mentorship.events('mentorship.mentor.approved', profile.id)).toEqual([
      { mentor_id: profile.id, user_id: actor.user_id },
    ]);
  });

  it('whose application waits is approved', async () => {
    const actor = mentorship.newUser();
    const { id } = await mentorship.ask(Mentors.apply, actor, application);
    await joined(actor.user_id);
    expect(await profileOf(actor)).toMatchObject({ id, is_approved: true });
    expect(await mentorship.events('mentorship.mentor.approved', id)).toHaveLength(1);
  });

  it('whom a moderator has rejected stays rejected', async () => {
    const actor = mentorship.newUser();
    const { id } = await mentorship.ask(Mentors.apply, actor, application);
    await mentorship.ask(Mentors.reject, mentorship.admin, { id, reason: 'No.' });
    await joined(actor.user_id);
    expect(await profileOf(actor)).toMatchObject({ id, is_approved: false });
    expect(await mentorship.events('mentorship.mentor.approved', id)).toEqual([]);
  });

  it('who is a mentee alone gets no profile', async () => {
    const actor = mentorship.newUser();
    await joined(actor.user_id, false);
    expect(await mentorship.failure(MentorProfiles.mine, actor, {})).toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

import {
  Availability,
  Bookings,
  MentorProfiles,
  Mentors,
  SessionBookings,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MentorshipFixture } from './fixture.js';

let mentorship: MentorshipFixture;

beforeAll(async () => {
  mentorship = await MentorshipFixture.start('mentorship_story');
});
afterAll(() => mentorship.stop());

describe('the main job', () => {
  it('leads from an application to a reviewed session', async () => {
    const { ask, clock } = {
      ask: mentorship.ask.bind(mentorship),
      clock: mentorship.clock,
    };
    const mentor = mentorship.newUser();
    const mentee = mentorship.newUser();

    const application = await ask(
      Mentors.apply,
      mentor,
      {
        title: 'Senior Python Developer',
        description: 'Ten years of Python.',
        skills: ['Python'],
        price_per_hour: 3000,
        availability: { monday: ['10:00-12:00'] },
      },
      { locale: 'ru' },
    );
    expect(application).toEqual({
      id: expect.any(Number) as number,
      status: 'pending',
      message: 'Заявка отправлена на модерацию',
    });
    const { id } = application;
    expect(await mentorship.failure(Mentors.get, undefined, { id })).toMatchObject({
      code: 'NOT_FOUND',
    });
    const waiting = await ask(Mentors.applications, mentorship.admin, {});
    expect(waiting.items).toMatchObject([
      { id, user: { full_name: `Person ${mentor.user_id}` }, status: 'pending' },
    ]);

    expect(await ask(Mentors.approve, mentorship.admin, { id })).toMatchObject({
      status: 'approved',
    });
    const availability = await ask(Availability.replace, mentor, {
      timezone: 'Europe/Berlin',
      rules: [{ day_of_week: 3, start_time: '10:00', end_time: '12:00' }],
    });
    expect(availability).toEqual({
      timezone: 'Europe/Berlin',
      rules: [
        {
          id: expect.any(Number) as number,
          day_of_week: 3,
          start_time: '10:00',
          end_time: '12:00',
          is_recurring: true,
          specific_date: null,
          is_active: true,
        },
      ],
    });

    const { items } = await ask(Mentors.list, undefined, { skill: 'python' });
    expect(items).toMatchObject([
      { id, price_per_hour: 3000, available: true, next_available_at: '2026-11-25T09:00:00Z' },
    ]);
    const { slots } = await ask(Mentors.slots, undefined, {
      id,
      to: '2026-11-29T00:00:00Z',
      timezone: 'Europe/Moscow',
    });
    expect(slots).toEqual([
      {
        starts_at: '2026-11-25T09:00:00Z',
        ends_at: '2026-11-25T10:00:00Z',
        local_start: '2026-11-25T12:00:00+03:00',
      },
      {
        starts_at: '2026-11-25T09:30:00Z',
        ends_at: '2026-11-25T10:30:00Z',
        local_start: '2026-11-25T12:30:00+03:00',
      },
      {
        starts_at: '2026-11-25T10:00:00Z',
        ends_at: '2026-11-25T11:00:00Z',
        local_start: '2026-11-25T13:00:00+03:00',
      },
    ]);

    const session = await ask(SessionBookings.book, mentee, {
      mentor_id: id,
      scheduled_at: slots[0]!.starts_at,
      duration_minutes: 60,
      topic: 'Interview',
      notes: 'Algorithms, please.',
    });
    expect(session).toMatchObject({
      mentor: { id, user_id: mentor.user_id, full_name: `Person ${mentor.user_id}` },
      student: { id: mentee.user_id, full_name: `Person ${mentee.user_id}` },
      scheduled_at: '2026-11-25T09:00:00Z',
      duration_minutes: 60,
      status: 'scheduled',
      booking_status: 'pending',
      price: 3000,
      currency: 'RUB',
      payment_status: 'unpaid',
      version: 1,
    });
    expect(session.payment_url).toMatch(/^https:\/\/mentorhub\.test\/checkout\/co_[\w-]{24}$/);
    const [requested] = await mentorship.events('mentorship.booking.requested', session.id);
    const due = await ask(Bookings.amountDue, undefined, { booking_id: session.id });
    expect(requested).toMatchObject({ mentee_user_id: mentee.user_id, amount_due: due });
    expect(due).toMatchObject({
      amount_minor: 300_000,
      due: true,
      expires_at: '2026-11-23T08:15:00Z',
    });
    expect(`https://mentorhub.test/checkout/${due.checkout_id}`).toBe(session.payment_url);

    await mentorship.pay(session);
    expect(await ask(SessionBookings.get, mentee, { id: session.id })).toMatchObject({
      payment_status: 'paid',
      payment_url: null,
    });
    expect(await mentorship.events('mentorship.booking.paid', session.id)).toHaveLength(1);

    await ask(Bookings.updateStatus, mentor, {
      id: session.id,
      status: 'confirmed',
      booking_version: 2,
    });
    const linked = await ask(Bookings.addMeetingLink, mentor, {
      id: session.id,
      meeting_link: 'https://zoom.us/j/1234567890',
      meeting_platform: 'zoom',
    });
    expect(linked).toMatchObject({ status: 'confirmed', booking_version: 4 });
    const mine = await ask(SessionBookings.list, mentee, { status: 'scheduled' });
    expect(mine.items).toMatchObject([
      {
        id: session.id,
        booking_status: 'confirmed',
        meeting_url: 'https://zoom.us/j/1234567890',
        join_url: 'https://zoom.us/j/1234567890',
      },
    ]);

    clock.set('2026-11-25T09:00:00Z');
    const completed = await ask(SessionBookings.complete, mentee, {
      id: session.id,
      rating: 5,
      review: 'Clear and patient.',
      feedback: 'Thank you!',
    });
    expect(completed).toEqual({
      id: session.id,
      status: 'completed',
      rating: 5,
      completed_at: '2026-11-25T09:00:00Z',
    });
    const details = await ask(Mentors.get, undefined, { id });
    expect(details).toMatchObject({
      rating: 5,
      total_sessions: 1,
      reviews: [
        {
          student_name: `Person ${mentee.user_id}`,
          rating: 5,
          comment: 'Clear and patient.',
          created_at: '2026-11-25T09:00:00Z',
        },
      ],
    });
    expect(await ask(MentorProfiles.get, undefined, { id })).toMatchObject({
      rating: 5,
      total_sessions: 1,
      is_approved: true,
    });
    const [review] = details.reviews;
    expect(await mentorship.events('mentorship.review.created', review!.id)).toMatchObject([
      { booking_id: session.id, rating: 5, author_user_id: mentee.user_id },
    ]);
    const [asMentor] = (await ask(Bookings.list, mentor, { role: 'mentor' })).items;
    expect(asMentor).toMatchObject({ status: 'completed', rating: 5, feedback: 'Thank you!' });
  });
});

import { randomBytes } from 'node:crypto';
import { mentorCurrency, toMinor } from '@mentorhub/contracts';
import type { DemoPayment } from '@mentorhub/contracts/demo-data';
import type { EntityManager } from 'typeorm';
import { AvailabilityRuleEntity } from '../availability/availability-rule.entity.js';
import { readWeeklyAvailability } from '../availability/domain/availability-rules.js';
import { Booking } from '../bookings/booking.entity.js';
import { priceOf } from '../bookings/domain/refund.js';
import { Mentor, searchColumns } from '../mentors/mentor.entity.js';
import { MentorStats } from '../mentors/mentor-stats.entity.js';
import { Review } from '../reviews/review.entity.js';
import { type DemoProfile, demoProfiles } from './profiles.js';
import { demoComments, demoReasons, type DemoText, demoTopics } from './reviews.js';
import { DemoCalendar, type DemoOutcome, type DemoWeek, outcomes } from './sessions.js';

const minute = 60_000;
const day = 24 * 60 * minute;
/**
 * Users of identity's demo data: mentors 2–51, mentees 52–71, of whom every third speaks Russian, men and women in turn.
 */
const firstMentorUser = 2;
const firstMentee = 52;
const mentees = 20;

const officeHours = ['09:00-12:00', '13:00-17:00'];
const evenings = ['18:00-22:00'];

/** Weeks that the mentors take turns with. */
const weeks: readonly DemoWeek[] = [
  {
    monday: officeHours,
    tuesday: officeHours,
    wednesday: officeHours,
    thursday: officeHours,
    friday: ['09:00-13:00'],
  },
  { monday: evenings, wednesday: evenings, thursday: evenings, saturday: ['10:00-16:00'] },
  { tuesday: ['10:00-18:00'], thursday: ['10:00-18:00'], sunday: ['12:00-17:00'] },
  { monday: ['07:00-11:00'], tuesday: evenings, wednesday: ['07:00-11:00'], friday: evenings },
  { wednesday: ['12:00-20:00'], friday: ['12:00-20:00'], saturday: ['11:00-15:00'] },
];

/**
 * Creates the demo mentors with their availability, sessions and reviews, unless they are there. The same on every
 * machine, apart from the day it is seeded on. Names and avatars come from identity, by its events or on request.
 *
 * @throws when a profile with a demo id belongs to somebody else
 */
export async function seedMentors(
  tx: EntityManager,
  now: Date,
): Promise<{ mentors: number; payments: DemoPayment[] }> {
  const mentors = demoProfiles.length;
  const present = await tx.find(Mentor, { order: { id: 'ASC' }, take: 1 });
  const [first] = present;
  if (first) {
    if (first.id === 1 && first.userId === firstMentorUser) {
      return { mentors, payments: await paymentsOf(tx) };
    }
    throw new Error(
      `Mentor ${first.id} is not a demo mentor: demo data can only be loaded into an empty database.`,
    );
  }
  const random = seededRandom(20_261_123);
  const calendar = new DemoCalendar(now);
  for (const [index, profile] of demoProfiles.entries()) {
    await seedMentor(tx, { id: index + 1, profile, now, random, calendar });
  }
  for (const table of ['mentors', 'bookings', 'reviews']) {
    await tx.query(
      `SELECT setval(pg_get_serial_sequence($1, 'id'), (SELECT max(id) FROM ${table}))`,
      [table],
    );
  }
  return { mentors, payments: await paymentsOf(tx) };
}

/** The payments of the demo sessions, as they are now. */
function paymentsOf(tx: EntityManager): Promise<DemoPayment[]> {
  return tx.query<DemoPayment[]>(
    `SELECT payment_id, b.id AS booking_id, checkout_id, mentee_user_id, m.user_id AS mentor_user_id,
       price_minor AS amount_minor, refunded_minor, b.currency, topic, b.created_at AS paid_at,
       CASE WHEN refunded_minor > 0 THEN b.created_at + interval '1 hour' END AS refunded_at
     FROM bookings b JOIN mentors m ON m.id = b.mentor_id
     WHERE payment_id LIKE 'pm_demo%' ORDER BY b.id`,
  );
}

interface Seed {
  id: number;
  profile: DemoProfile;
  now: Date;
  random: Random;
  calendar: DemoCalendar;
}

async function seedMentor(tx: EntityManager, seed: Seed): Promise<void> {
  const { id, profile, now, random } = seed;
  const reviewed = 3 + random(10);
  const sessions = reviewed + random(6);
  const ratings = Array.from({ length: reviewed }, () => ratingOf(random(20)));
  const { title, description, skills } = profile;
  await tx.insert(Mentor, {
    id,
    userId: firstMentorUser + id - 1,
    status: 'approved',
    title,
    description,
    skills,
    ...searchColumns({ title, description, skills }),
    pricePerHourMinor: toMinor(profile.price, mentorCurrency),
    currency: mentorCurrency,
    timezone: profile.timezone,
    bufferAfterMinutes: id % 4 === 0 ? 15 : 0,
    minimumNoticeMinutes: id % 5 === 0 ? 240 : 60,
    company: profile.company,
    jobTitle: title,
    yearsOfExperience: profile.years,
    linkedinUrl: `https://people.example/in/mentor-${id}`,
    githubUrl: id % 3 === 0 ? null : `https://code.example/mentor-${id}`,
    twitterUrl: id % 4 === 0 ? `https://posts.example/mentor-${id}` : null,
    appliedAt: new Date(now.getTime() - 400 * day),
    decidedAt: new Date(now.getTime() - 398 * day),
  });
  await tx.update(MentorStats, id, {
    ratingSum: ratings.reduce<number>((sum, rating) => sum + rating, 0),
    ratingCount: reviewed,
    completedSessions: sessions,
  });
  const { hours } = readWeeklyAvailability(weekOf(id));
  await tx.insert(
    AvailabilityRuleEntity,
    hours.map((entry) => ({ mentorId: id, ...entry })),
  );
  for (let session = 0; session < sessions; session++) {
    await seedSession(tx, seed, {
      days: -3 - (sessions - session) * 7,
      outcome: outcomes.completed,
      rating: ratings[session],
    });
  }
  const others = [
    { every: 1, days: 2 + (id % 9), outcome: outcomes.upcoming },
    { every: 2, days: 3 + (id % 7), outcome: outcomes.pending },
    { every: 4, days: -5, outcome: outcomes.cancelledByMentor },
    { every: 3, days: -9, outcome: outcomes.cancelledLate },
    { every: 5, days: -12, outcome: outcomes.missed },
    { every: 6, days: 8 + (id % 5), outcome: outcomes.cancelledEarly },
    { every: 7, days: -6, outcome: outcomes.expired },
  ];
  for (const { every, days, outcome } of others) {
    if (id % every === 0) await seedSession(tx, seed, { days, outcome, rating: undefined });
  }
}

async function seedSession(
  tx: EntityManager,
  { id: mentorId, profile, now, random, calendar }: Seed,
  plan: { days: number; outcome: DemoOutcome; rating: Rating | undefined },
): Promise<void> {
  const { days, outcome, rating } = plan;
  const guest = random(mentees);
  const menteeUserId = firstMentee + guest;
  const language = guest % 3 === 0 ? 1 : 0;
  const minutes = lengths[random(lengths.length)] ?? 60;
  // Nothing that is drawn depends on the day, so that ids and prices are the same on each.
  const { startsAt, endsAt } = calendar.place(
    [firstMentorUser + mentorId - 1, menteeUserId],
    { week: weekOf(mentorId), timeZone: profile.timezone },
    { days, minutes, wish: random(16) },
  );
  const topic = pick(demoTopics[language], random);
  const comment = rating === undefined ? '' : pick(demoComments[rating][language], random);
  const priceMinor = priceOf(toMinor(profile.price, mentorCurrency), minutes);
  const { status } = outcome;
  const paymentStatus = priceMinor === 0 ? 'not_required' : outcome.paymentStatus;
  const isPaid = paymentStatus !== 'not_required' && paymentStatus !== 'unpaid';
  const createdAt = new Date(Math.min(startsAt.getTime() - 5 * day, now.getTime() - day));
  const { identifiers } = await tx.insert(Booking, {
    mentorId,
    menteeUserId,
    startsAt,
    endsAt,
    blockedFrom: startsAt,
    blockedUntil: new Date(endsAt.getTime() + (mentorId % 4 === 0 ? 15 : 0) * minute),
    status,
    paymentStatus,
    priceMinor,
    refundedMinor: Math.ceil(priceMinor * outcome.refunded),
    currency: mentorCurrency,
    topic,
    checkoutId: priceMinor === 0 ? null : `co_${randomBytes(18).toString('base64url')}`,
    absentParty: status === 'no_show' ? 'mentee' : null,
    cancellationReason: reasonOf(status, {
      mentor: /\p{Script=Cyrillic}/u.test(profile.description) ? 1 : 0,
      mentee: language,
    }),
    meetingUrl: status === 'confirmed' ? `https://meet.example/mentor-${mentorId}` : null,
    meetingPlatform: status === 'confirmed' ? 'MentorHub Meet' : null,
    rating: rating ?? null,
    completedAt: status === 'completed' ? endsAt : null,
    createdAt,
  });
  const { id } = identifiers[0] as { id: number };
  if (isPaid) {
    await tx.update(Booking, id, { paymentId: `pm_demo${String(id).padStart(6, '0')}` });
  }
  if (rating === undefined) return;
  await tx.insert(Review, {
    bookingId: id,
    mentorId,
    authorUserId: menteeUserId,
    rating,
    comment: typeof comment === 'string' ? comment : comment[guest % 6 === 3 ? 1 : 0],
    createdAt: new Date(endsAt.getTime() + 30 * minute),
  });
}

type Rating = 2 | 3 | 4 | 5;

/** In minutes. */
const lengths = [60, 30, 90, 60] as const;

const weekOf = (mentorId: number): DemoWeek => weeks[mentorId % weeks.length] ?? {};

/** Mostly content. */
function ratingOf(twentieth: number): Rating {
  if (twentieth < 1) return 2;
  if (twentieth < 3) return 3;
  return twentieth < 8 ? 4 : 5;
}

/** Why a session was cancelled, in the language of who cancelled it. */
function reasonOf(
  status: Booking['status'],
  languages: { mentor: 0 | 1; mentee: 0 | 1 },
): string | null {
  if (status === 'cancelled_by_mentor') return demoReasons.mentor[languages.mentor];
  if (status === 'cancelled_by_mentee') return demoReasons.mentee[languages.mentee];
  return null;
}

/** A whole number below `limit`. */
type Random = (limit: number) => number;

/** The same numbers on every machine, so that everyone sees the same demo (mulberry32). */
function seededRandom(seed: number): Random {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

function pick<Text extends DemoText>(texts: readonly Text[], random: Random): Text | '' {
  return texts[random(texts.length)] ?? '';
}

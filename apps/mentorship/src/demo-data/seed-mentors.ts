import { randomBytes } from 'node:crypto';
import { mentorCurrency, toMinor } from '@mentorhub/contracts';
import type { EntityManager } from 'typeorm';
import { AvailabilityRuleEntity } from '../availability/availability-rule.entity.js';
import { readWeeklyAvailability } from '../availability/domain/availability-rules.js';
import { Booking } from '../bookings/booking.entity.js';
import { priceOf } from '../bookings/domain/refund.js';
import { Mentor, searchColumns } from '../mentors/mentor.entity.js';
import { MentorStats } from '../mentors/mentor-stats.entity.js';
import { Review } from '../reviews/review.entity.js';
import { type DemoProfile, demoProfiles } from './profiles.js';
import { demoComments, demoTopics } from './reviews.js';

const minute = 60_000;
const day = 24 * 60 * minute;
/** Users of identity's demo data: mentors 2–51, mentees 52–71, of whom every third speaks Russian. */
const firstMentorUser = 2;
const firstMentee = 52;
const mentees = 20;

const officeHours = ['09:00-12:00', '13:00-17:00'];
const evenings = ['18:00-22:00'];

/** Weeks that the mentors take turns with. */
const weeks = [
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
 * Creates the demo mentors with their availability, past sessions and reviews, unless they are there. Names and
 * avatars come from identity, by its events or on the first request.
 *
 * @throws when a profile with a demo id belongs to somebody else
 */
export async function seedMentors(tx: EntityManager, now: Date): Promise<{ mentors: number }> {
  const mentors = demoProfiles.length;
  const present = await tx.find(Mentor, { order: { id: 'ASC' }, take: 1 });
  const [first] = present;
  if (first) {
    if (first.id === 1 && first.userId === firstMentorUser) return { mentors };
    throw new Error(
      `Mentor ${first.id} is not a demo mentor: demo data can only be loaded into an empty database.`,
    );
  }
  const random = seededRandom(20_261_123);
  for (const [index, profile] of demoProfiles.entries()) {
    await seedMentor(tx, { id: index + 1, profile, now, random });
  }
  for (const table of ['mentors', 'bookings', 'reviews']) {
    await tx.query(
      `SELECT setval(pg_get_serial_sequence($1, 'id'), (SELECT max(id) FROM ${table}))`,
      [table],
    );
  }
  return { mentors };
}

interface Seed {
  id: number;
  profile: DemoProfile;
  now: Date;
  random: Random;
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
    appliedAt: new Date(now.getTime() - 200 * day),
    decidedAt: new Date(now.getTime() - 198 * day),
  });
  await tx.update(MentorStats, id, {
    ratingSum: ratings.reduce((sum, rating) => sum + rating, 0),
    ratingCount: reviewed,
    completedSessions: sessions,
  });
  const { hours } = readWeeklyAvailability(weeks[id % weeks.length] ?? {});
  await tx.insert(
    AvailabilityRuleEntity,
    hours.map((entry) => ({ mentorId: id, ...entry })),
  );
  for (let session = 0; session < sessions; session++) {
    await seedSession(tx, seed, {
      daysAgo: 3 + (sessions - session) * 7,
      rating: ratings[session],
    });
  }
}

async function seedSession(
  tx: EntityManager,
  { id: mentorId, profile, now, random }: Seed,
  { daysAgo, rating }: { daysAgo: number; rating: 3 | 4 | 5 | undefined },
): Promise<void> {
  const guest = random(mentees);
  const menteeUserId = firstMentee + guest;
  const language = guest % 3 === 0 ? 1 : 0;
  const startsAt = pastStart(now, daysAgo, 10 + random(6), profile.timezone);
  const endsAt = new Date(startsAt.getTime() + 60 * minute);
  const priceMinor = priceOf(toMinor(profile.price, mentorCurrency), 60);
  const { identifiers } = await tx.insert(Booking, {
    mentorId,
    menteeUserId,
    startsAt,
    endsAt,
    blockedFrom: startsAt,
    blockedUntil: endsAt,
    status: 'completed',
    paymentStatus: priceMinor === 0 ? 'not_required' : 'paid',
    priceMinor,
    currency: mentorCurrency,
    topic: pick(demoTopics[language], random),
    checkoutId: priceMinor === 0 ? null : `co_${randomBytes(18).toString('base64url')}`,
    rating: rating ?? null,
    completedAt: endsAt,
    createdAt: new Date(startsAt.getTime() - 5 * day),
  });
  if (rating === undefined) return;
  await tx.insert(Review, {
    bookingId: (identifiers[0] as { id: number }).id,
    mentorId,
    authorUserId: menteeUserId,
    rating,
    comment: pick(demoComments[rating][language], random),
    createdAt: new Date(endsAt.getTime() + 30 * minute),
  });
}

/** Mostly content. */
function ratingOf(twentieth: number): 3 | 4 | 5 {
  if (twentieth < 1) return 3;
  return twentieth < 6 ? 4 : 5;
}

function pastStart(now: Date, daysAgo: number, hour: number, timeZone: string): Date {
  const date = Temporal.Instant.fromEpochMilliseconds(now.getTime())
    .toZonedDateTimeISO(timeZone)
    .toPlainDate()
    .subtract({ days: daysAgo });
  const start = date.toZonedDateTime({ timeZone, plainTime: { hour } });
  return new Date(start.epochMilliseconds);
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

function pick(texts: readonly string[], random: Random): string {
  return texts[random(texts.length)] ?? '';
}

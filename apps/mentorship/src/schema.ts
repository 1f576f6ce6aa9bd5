import { messagingMigrations } from '@mentorhub/messaging';
import { peopleMigrations } from '@mentorhub/people';
import { type DatabaseSchema, idempotencyMigrations } from '@mentorhub/persistence';
import { AvailabilityRuleEntity } from './availability/availability-rule.entity.js';
import { Booking } from './bookings/booking.entity.js';
import { Mentor } from './mentors/mentor.entity.js';
import { CreateMentorship1790000020000 } from './migrations/1790000020000-create-mentorship.js';
import { Review } from './reviews/review.entity.js';

/** The tables of mentorship. */
export const schema: DatabaseSchema = {
  entities: [Mentor, AvailabilityRuleEntity, Booking, Review],
  migrations: [
    ...messagingMigrations,
    ...idempotencyMigrations,
    ...peopleMigrations,
    CreateMentorship1790000020000,
  ],
};

import { messagingMigrations } from '@mentorhub/messaging';
import { peopleMigrations } from '@mentorhub/people';
import { type DatabaseSchema, idempotencyMigrations } from '@mentorhub/persistence';
import { AvailabilityRuleEntity } from './availability/availability-rule.entity.js';
import { Booking } from './bookings/booking.entity.js';
import { Mentor } from './mentors/mentor.entity.js';
import { MentorStats } from './mentors/mentor-stats.entity.js';
import { CreateMentorship1790000020000 } from './migrations/1790000020000-create-mentorship.js';
import { ErasedUsers1796000000064 } from './migrations/1796000000064-erased-users.js';
import { CreateBookingParticipants1796000020001 } from './migrations/1796000020001-create-booking-participants.js';
import { CreateMentorStats1796000020004 } from './migrations/1796000020004-create-mentor-stats.js';
import { LimitSessionPrices1796000020005 } from './migrations/1796000020005-limit-session-prices.js';
import { RecordAbsentParty1796000020002 } from './migrations/1796000020002-record-absent-party.js';
import { RequireLetters1796000020003 } from './migrations/1796000020003-require-letters.js';
import { Review } from './reviews/review.entity.js';

/** The tables of mentorship. */
export const schema: DatabaseSchema = {
  entities: [Mentor, MentorStats, AvailabilityRuleEntity, Booking, Review],
  migrations: [
    ...messagingMigrations,
    ...idempotencyMigrations,
    ...peopleMigrations,
    CreateMentorship1790000020000,
    CreateBookingParticipants1796000020001,
    RecordAbsentParty1796000020002,
    RequireLetters1796000020003,
    CreateMentorStats1796000020004,
    LimitSessionPrices1796000020005,
    ErasedUsers1796000000064,
  ],
};

import { PeopleModule } from '@mentorhub/people';
import { Module } from '@nestjs/common';
import { AvailabilityModule } from '../availability/availability.module.js';
import { ReviewsModule } from '../reviews/reviews.module.js';
import { BookingChanges } from './booking-changes.js';
import { BookingPlacement } from './booking-placement.service.js';
import { BookingSweeper } from './booking-sweeper.js';
import { BookingsController } from './bookings.controller.js';
import { BookingsEvents } from './bookings.events.js';
import { BookingsRepository } from './bookings.repository.js';
import { BookingsService } from './bookings.service.js';
import { ErasedUsers } from './erased-users.js';
import { ErasureEvents } from './erasure.events.js';
import { HoldExpiry } from './hold-expiry.js';
import { SessionBookingsController } from './session-bookings.controller.js';

@Module({
  imports: [AvailabilityModule, PeopleModule, ReviewsModule],
  controllers: [BookingsController, BookingsEvents, ErasureEvents, SessionBookingsController],
  providers: [
    BookingChanges,
    BookingPlacement,
    BookingSweeper,
    BookingsRepository,
    BookingsService,
    ErasedUsers,
    HoldExpiry,
  ],
})
export class BookingsModule {}

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
import { HoldExpiry } from './hold-expiry.js';
import { SessionBookingsController } from './session-bookings.controller.js';

@Module({
  imports: [AvailabilityModule, PeopleModule, ReviewsModule],
  controllers: [BookingsController, BookingsEvents, SessionBookingsController],
  providers: [
    BookingChanges,
    BookingPlacement,
    BookingSweeper,
    BookingsRepository,
    BookingsService,
    HoldExpiry,
  ],
})
export class BookingsModule {}

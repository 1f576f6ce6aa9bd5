import { Module } from '@nestjs/common';
import { AvailabilityController } from './availability.controller.js';
import { AvailabilityService } from './availability.service.js';
import { NextAvailable } from './next-available.js';
import { SchedulesRepository } from './schedules.repository.js';
import { SlotsService } from './slots.service.js';

@Module({
  controllers: [AvailabilityController],
  providers: [AvailabilityService, NextAvailable, SchedulesRepository, SlotsService],
  exports: [AvailabilityService, NextAvailable, SchedulesRepository, SlotsService],
})
export class AvailabilityModule {}

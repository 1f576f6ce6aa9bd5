import { PeopleModule } from '@mentorhub/people';
import { Module } from '@nestjs/common';
import { AvailabilityModule } from '../availability/availability.module.js';
import { ApplicationsController } from './applications.controller.js';
import { ApplicationsService } from './applications.service.js';
import { MembersEvents } from './members.events.js';
import { MentorProfilesController } from './mentor-profiles.controller.js';
import { MentorsController } from './mentors.controller.js';
import { MentorsRepository } from './mentors.repository.js';
import { MentorsService } from './mentors.service.js';

@Module({
  imports: [AvailabilityModule, PeopleModule],
  controllers: [ApplicationsController, MembersEvents, MentorProfilesController, MentorsController],
  providers: [ApplicationsService, MentorsRepository, MentorsService],
})
export class MentorsModule {}

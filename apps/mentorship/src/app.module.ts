import { MessagingModule, ServiceMessagingModule } from '@mentorhub/messaging';
import { classifyDatabaseError, PersistenceModule } from '@mentorhub/persistence';
import { databaseSettings, eventSettings, natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { AvailabilityModule } from './availability/availability.module.js';
import { BookingsModule } from './bookings/bookings.module.js';
import type { MentorshipConfig } from './config.js';
import { MentorsModule } from './mentors/mentors.module.js';
import { PersonalDataController } from './personal-data/personal-data.controller.js';
import { schema } from './schema.js';

@Module({})
export class AppModule {}

export const appModule = (config: MentorshipConfig): DynamicModule => ({
  module: AppModule,
  controllers: [PersonalDataController],
  imports: [
    PersistenceModule.forRoot({
      ...databaseSettings(config),
      ...schema,
      applicationName: 'mentorship',
    }),
    MessagingModule.forRoot({ service: 'mentorship', connection: natsConnection(config) }),
    ServiceMessagingModule.forRoot({
      classify: classifyDatabaseError,
      ...eventSettings(config),
    }),
    MentorsModule,
    AvailabilityModule,
    BookingsModule,
  ],
});

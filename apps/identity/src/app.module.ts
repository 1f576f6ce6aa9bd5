import { MessagingModule, ServiceMessagingModule } from '@mentorhub/messaging';
import { classifyDatabaseError, PersistenceModule } from '@mentorhub/persistence';
import { databaseSettings, eventSettings, natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { AdministrationModule } from './administration/administration.module.js';
import { AuthModule } from './auth/auth.module.js';
import { AvatarsModule } from './avatars/avatars.module.js';
import type { IdentityConfig } from './config.js';
import { EmailChangesModule } from './email-changes/email-changes.module.js';
import { EmailLoginModule } from './email-login/email-login.module.js';
import { EmailVerificationModule } from './email-verification/email-verification.module.js';
import { ErasureModule } from './erasure/erasure.module.js';
import { Housekeeping } from './housekeeping/housekeeping.js';
import { UnverifiedExpiry } from './housekeeping/unverified-expiry.js';
import { KeysModule } from './keys/keys.module.js';
import { ProvidersModule } from './providers/providers.module.js';
import { MembersModule } from './members/members.module.js';
import { PasswordChangesModule } from './password-changes/password-changes.module.js';
import { LimitsModule } from './limits/limits.module.js';
import { PersonalDataModule } from './personal-data/personal-data.module.js';
import { schema } from './schema.js';
import { SecondFactorModule } from './second-factor/second-factor.module.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { SocketTicketsModule } from './socket-tickets/socket-tickets.module.js';
import { UsersModule } from './users/users.module.js';

@Module({
  imports: [
    UsersModule,
    AuthModule,
    AdministrationModule,
    SessionsModule,
    EmailLoginModule,
    EmailVerificationModule,
    EmailChangesModule,
    PasswordChangesModule,
    KeysModule,
    ProvidersModule,
    MembersModule,
    SocketTicketsModule,
    SecondFactorModule,
    LimitsModule,
    AvatarsModule,
    ErasureModule,
    PersonalDataModule,
  ],
  providers: [Housekeeping, UnverifiedExpiry],
})
export class AppModule {}

/** The whole service. */
export function appModule(config: IdentityConfig): DynamicModule {
  return {
    module: AppModule,
    imports: [
      PersistenceModule.forRoot({
        ...databaseSettings(config),
        ...schema,
        applicationName: 'identity',
      }),
      MessagingModule.forRoot({ service: 'identity', connection: natsConnection(config) }),
      ServiceMessagingModule.forRoot({
        classify: classifyDatabaseError,
        ...eventSettings(config),
        streamReplicas: config.EVENT_STREAM_REPLICAS,
        streamMaxBytes: config.EVENT_STREAM_MAX_BYTES,
      }),
    ],
  };
}

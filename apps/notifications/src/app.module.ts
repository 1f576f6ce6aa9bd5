import { MessagingModule, ServiceMessagingModule } from '@mentorhub/messaging';
import { classifyDatabaseError, PersistenceModule } from '@mentorhub/persistence';
import { CONFIG, databaseSettings, eventSettings, natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import type { NotificationsConfig } from './config.js';
import { AfterCommit } from './after-commit.js';
import { DeferredNotifications } from './deferred/deferred-notifications.js';
import { ReaderResolver } from './deferred/reader-resolver.js';
import { DevMailController } from './dev-mail/dev-mail.controller.js';
import { Mailer } from './mail/mailer.js';
import { MailQueue } from './mail/mail-queue.js';
import { LogTransport } from './mail/transports/log-transport.js';
import { MailTransport } from './mail/transports/mail-transport.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { NotificationsService } from './notifications/notifications.service.js';
import { Notify } from './notifications/notify.service.js';
import { RecipientsEvents } from './recipients/recipients.events.js';
import { Recipients } from './recipients/recipients.js';
import { ErasedUsers } from './recipients/erased-users.js';
import { PersonalDataController } from './personal-data/personal-data.controller.js';
import { AccountRules } from './rules/account.rules.js';
import { MentorRules } from './rules/mentor.rules.js';
import { MessageRules } from './rules/message.rules.js';
import { PaymentRules } from './rules/payment.rules.js';
import { SecondFactorRules } from './rules/second-factor.rules.js';
import { SessionRules } from './rules/session.rules.js';
import { schema } from './schema.js';

async function openTransport(config: NotificationsConfig): Promise<MailTransport> {
  if (config.MAIL_TRANSPORT === 'log') return new LogTransport(config.MAIL_DIRECTORY);
  // Brings an HTTP client of its own, which a process that does not use it need not hold in memory.
  const { SendgridTransport } = await import('./mail/transports/sendgrid-transport.js');
  return new SendgridTransport({
    apiKey: config.SENDGRID_API_KEY,
    from: config.MAIL_FROM,
    apiUrl: config.SENDGRID_API_URL,
  });
}

@Module({
  controllers: [
    NotificationsController,
    DevMailController,
    RecipientsEvents,
    AccountRules,
    SecondFactorRules,
    SessionRules,
    MentorRules,
    PaymentRules,
    MessageRules,
    PersonalDataController,
  ],
  providers: [
    NotificationsService,
    Notify,
    Recipients,
    ErasedUsers,
    AfterCommit,
    DeferredNotifications,
    ReaderResolver,
    MailQueue,
    Mailer,
    { provide: MailTransport, useFactory: openTransport, inject: [CONFIG] },
  ],
})
export class AppModule {}

export const appModule = (config: NotificationsConfig): DynamicModule => ({
  module: AppModule,
  imports: [
    PersistenceModule.forRoot({
      ...databaseSettings(config),
      ...schema,
      applicationName: 'notifications',
    }),
    MessagingModule.forRoot({ service: 'notifications', connection: natsConnection(config) }),
    ServiceMessagingModule.forRoot({
      classify: classifyDatabaseError,
      ...eventSettings(config),
    }),
  ],
});

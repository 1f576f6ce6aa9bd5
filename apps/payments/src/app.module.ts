import { MessagingModule, ServiceMessagingModule } from '@mentorhub/messaging';
import { classifyDatabaseError, PersistenceModule } from '@mentorhub/persistence';
import { databaseSettings, eventSettings, natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { CheckoutController } from './checkout/checkout.controller.js';
import { CheckoutService } from './checkout/checkout.service.js';
import type { PaymentsConfig } from './config.js';
import { Ledger } from './ledger/ledger.js';
import { AmountsDueController } from './amounts-due/amounts-due.controller.js';
import { AmountsDueEvents } from './amounts-due/amounts-due.events.js';
import { AmountsDue } from './amounts-due/amounts-due.service.js';
import { PaymentIntents } from './payments/payment-intents.js';
import { PaymentExpiry } from './payments/payment-expiry.js';
import { PaymentsController } from './payments/payments.controller.js';
import { PaymentsService } from './payments/payments.service.js';
import { Captures } from './payments/capture.service.js';
import { ErasureEvents } from './personal-data/erasure.events.js';
import { PersonalDataController } from './personal-data/personal-data.controller.js';
import { PaymentProvider } from './providers/payment-provider.js';
import { ProviderCalls } from './providers/provider-calls.js';
import { SandboxProvider } from './providers/sandbox-provider.js';
import { schema } from './schema.js';

@Module({
  controllers: [
    PaymentsController,
    CheckoutController,
    AmountsDueController,
    AmountsDueEvents,
    ErasureEvents,
    PersonalDataController,
  ],
  providers: [
    AmountsDue,
    Ledger,
    Captures,
    PaymentsService,
    PaymentIntents,
    ProviderCalls,
    PaymentExpiry,
    CheckoutService,
    { provide: PaymentProvider, useClass: SandboxProvider },
  ],
})
export class AppModule {}

export const appModule = (config: PaymentsConfig): DynamicModule => ({
  module: AppModule,
  imports: [
    PersistenceModule.forRoot({
      ...databaseSettings(config),
      ...schema,
      applicationName: 'payments',
    }),
    MessagingModule.forRoot({ service: 'payments', connection: natsConnection(config) }),
    ServiceMessagingModule.forRoot({
      classify: classifyDatabaseError,
      ...eventSettings(config),
    }),
  ],
});

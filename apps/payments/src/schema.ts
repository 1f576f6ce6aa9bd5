import { messagingMigrations } from '@mentorhub/messaging';
import { type DatabaseSchema, idempotencyMigrations } from '@mentorhub/persistence';
import { CreatePayments1790000010000 } from './migrations/1790000010000-create-payments.js';
import { RenameAmountsDue1796000000000 } from './migrations/1796000000000-rename-amounts-due.js';
import { PaymentIntents1796000000010 } from './migrations/1796000000010-payment-intents.js';
import { ErasedUsers1796000000066 } from './migrations/1796000000066-erased-users.js';
import { AmountDue } from './amounts-due/amount-due.entity.js';
import { Payment } from './payments/payment.entity.js';
import { Refund } from './payments/refund.entity.js';

export const schema: DatabaseSchema = {
  entities: [AmountDue, Payment, Refund],
  migrations: [
    ...messagingMigrations,
    ...idempotencyMigrations,
    CreatePayments1790000010000,
    RenameAmountsDue1796000000000,
    PaymentIntents1796000000010,
    ErasedUsers1796000000066,
  ],
};

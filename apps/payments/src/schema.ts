import { messagingMigrations } from '@mentorhub/messaging';
import { type DatabaseSchema, idempotencyMigrations } from '@mentorhub/persistence';
import { CreatePayments1790000010000 } from './migrations/1790000010000-create-payments.js';
import { Payable } from './payables/payable.entity.js';
import { Payment } from './payments/payment.entity.js';
import { Refund } from './payments/refund.entity.js';

export const schema: DatabaseSchema = {
  entities: [Payable, Payment, Refund],
  migrations: [...messagingMigrations, ...idempotencyMigrations, CreatePayments1790000010000],
};

import { Choice, Currency, Id, Instant, Money, Text, WebAddress } from '../core/fields.js';
import { PageOf } from '../core/page.dto.js';

const paymentMethods = ['card'] as const;
export type PaymentMethod = (typeof paymentMethods)[number];

export const paymentStates = [
  'pending',
  'succeeded',
  'failed',
  'expired',
  'refunded',
  'partially_refunded',
] as const;
export type PaymentState = (typeof paymentStates)[number];

const sandboxOutcomes = ['succeed', 'fail'] as const;
export type SandboxOutcome = (typeof sandboxOutcomes)[number];

export class CreatePayment {
  @Id({ example: 1, description: 'Id of the session to pay.' })
  session_id: number;

  @Money({ description: 'Must be the price of the session, which the server knows.' })
  amount: number;

  @Choice(paymentMethods, { example: 'card' })
  payment_method: PaymentMethod;
}

export class CreatedPayment {
  @Text({ max: 40, example: 'pm_123abc' })
  payment_id: string;

  @Money()
  amount: number;

  @Currency()
  currency: string;

  @Choice(paymentStates)
  status: PaymentState;

  @WebAddress({ insecure: true })
  payment_url: string;

  @Instant()
  expires_at: string;
}

export class PaymentView {
  @Text({ max: 40, example: 'pm_123abc' })
  id: string;

  @Id({ nullable: true })
  session_id: number | null;

  @Money()
  amount: number;

  @Currency()
  currency: string;

  @Choice(paymentStates)
  status: PaymentState;

  @Text({ max: 300 })
  description: string;

  @Instant()
  created_at: string;
}

export class PaymentPage extends PageOf(PaymentView) {}

export class CompleteSandboxPayment {
  @Choice(sandboxOutcomes, { example: 'succeed' })
  outcome: SandboxOutcome;
}

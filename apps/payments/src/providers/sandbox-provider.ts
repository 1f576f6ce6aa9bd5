import type { SandboxOutcome } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { sandboxReference } from '../payments/payment-id.js';
import { type PaymentOrder, PaymentProvider, type ProviderEvent } from './payment-provider.js';

interface SandboxPayment {
  providerReference: string;
  amountMinor: number;
  currency: string;
}

/** Moves no money: the payer chooses how the payment ends. */
@Injectable()
export class SandboxProvider extends PaymentProvider {
  override readonly name = 'sandbox';

  override open({ paymentId }: PaymentOrder): Promise<{ reference: string }> {
    return Promise.resolve({ reference: sandboxReference(paymentId) });
  }

  /** What a real provider would report of a payment that ends this way. */
  report(
    { providerReference, amountMinor, currency }: SandboxPayment,
    outcome: SandboxOutcome,
  ): ProviderEvent {
    return {
      provider: this.name,
      reference: providerReference,
      outcome: outcome === 'succeed' ? 'succeeded' : 'failed',
      amountMinor,
      currency,
    };
  }
}

import type { PaymentMethod } from '@mentorhub/contracts';

/** What a provider reports about a payment, by webhook or at once. May come late, twice and out of order. */
export interface ProviderEvent {
  provider: string;
  /** The payment, as the provider names it. */
  reference: string;
  outcome: 'succeeded' | 'failed';
  /** What the provider took or tried to take, minor units. */
  amountMinor: number;
  /** ISO 4217. */
  currency: string;
}

export interface PaymentOrder {
  /** The idempotency key with the provider as well. */
  paymentId: string;
  method: PaymentMethod;
  /** Minor units. */
  amountMinor: number;
  /** ISO 4217. */
  currency: string;
}

/** Who takes the money. */
export abstract class PaymentProvider {
  /** Goes into payments and ledger accounts; never changes. */
  abstract readonly name: string;

  /**
   * Prepares a payment with the provider; resolves to the provider's name for it. Takes no money. Idempotent: an order
   * that was opened before, however its answer was lost, gets the same reference.
   *
   * @param signal fires when the answer is no longer waited for
   * @throws anything when the provider did not prepare it; the same order is tried again later
   */
  abstract open(order: PaymentOrder, signal: AbortSignal): Promise<{ reference: string }>;
}

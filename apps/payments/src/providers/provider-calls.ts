import { ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { PaymentsConfig } from '../config.js';
import { type PaymentOrder, PaymentProvider } from './payment-provider.js';

/** Calls of one process in flight at once. A silent provider must not take the place of all other requests. */
const concurrency = 64;

const retryAfterSeconds = 5;

/**
 * Calls to the payment provider: each has a time limit, few run at once, and those for one payment share one.
 * Never call it inside a transaction: its locks would last until the provider answers.
 */
@Injectable()
export class ProviderCalls {
  private readonly logger = new Logger(ProviderCalls.name);
  private readonly inFlight = new Map<string, Promise<string>>();

  constructor(
    @Inject(CONFIG) private readonly config: PaymentsConfig,
    private readonly provider: PaymentProvider,
  ) {}

  /**
   * Prepares a payment with the provider; resolves to its reference there.
   * @throws ApplicationError `PROVIDER_UNAVAILABLE` when the provider fails, is silent, or has too many calls to answer
   */
  open(order: PaymentOrder): Promise<string> {
    const running = this.inFlight.get(order.paymentId);
    if (running) return running;
    if (this.inFlight.size >= concurrency) return Promise.reject(providerUnavailable());
    const call = this.call(order).finally(() => this.inFlight.delete(order.paymentId));
    this.inFlight.set(order.paymentId, call);
    return call;
  }

  private async call(order: PaymentOrder): Promise<string> {
    const signal = AbortSignal.timeout(this.config.PAYMENT_PROVIDER_TIMEOUT_MS);
    try {
      const { reference } = await Promise.race([
        this.provider.open(order, signal),
        rejectWhenAborted(signal),
      ]);
      return reference;
    } catch (error) {
      this.logger.warn('The payment provider did not prepare a payment.', {
        payment_id: order.paymentId,
        provider: this.provider.name,
        failure: nameOf(error),
      });
      throw providerUnavailable(error);
    }
  }
}

/** Without the text, in which providers repeat keys and people's data. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code = 'code' in error && typeof error.code === 'string' ? ` ${error.code}` : '';
  return `${error.name}${code}`;
}

/** For a provider that ignores the signal. */
function rejectWhenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function providerUnavailable(cause?: unknown): ApplicationError {
  return new ApplicationError(
    'PROVIDER_UNAVAILABLE',
    'The payment provider does not answer right now. Nothing was paid: try again in a moment.',
    { retryAfterSeconds, cause },
  );
}

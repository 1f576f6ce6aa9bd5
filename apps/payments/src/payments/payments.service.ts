import {
  type Caller,
  ApplicationError,
  type CreatedPayment,
  type CreatePayment,
  type PageQuery,
  type PaymentPage,
  type PaymentView,
  paging,
  type SandboxOutcome,
  toMajor,
  toPage,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { Idempotency, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { PaymentsConfig } from '../config.js';
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { AmountsDue } from '../amounts-due/amounts-due.service.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { SandboxProvider } from '../providers/sandbox-provider.js';
import { hasEnded, PaymentIntents } from './payment-intents.js';
import { Payment } from './payment.entity.js';
import { createdPayment, paymentView } from './payment-views.js';
import { Captures } from './capture.service.js';

@Injectable()
export class PaymentsService {
  constructor(
    @Inject(CONFIG) private readonly config: PaymentsConfig,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly idempotency: Idempotency,
    private readonly amountsDue: AmountsDue,
    private readonly intents: PaymentIntents,
    private readonly captures: Captures,
    private readonly provider: PaymentProvider,
    private readonly clock: Clock,
  ) {}

  /**
   * The payment to make for a session: the pending one, else a new one. Calling it again after it failed goes on where
   * it was left.
   * @throws ApplicationError `NOT_FOUND` for a session that is not the actor's, `AMOUNT_MISMATCH`, `WRONG_STATE` when it is
   *   paid, has ended or its time to pay is over, `PROVIDER_UNAVAILABLE`
   */
  async create(actor: Caller, request: CreatePayment): Promise<CreatedPayment> {
    const { id, userId } = await this.amountsDue.byBooking(request.session_id);
    if (userId !== actor.user_id) throw ApplicationError.notFound('The session');
    const attempt = {
      userId: actor.user_id,
      operation: 'payments.create',
      key: requestContext.current()?.idempotencyKey,
      request,
    };
    const begun = await this.transactions.run(async (tx) => {
      const stored = await this.idempotency.begin<CreatedPayment>(tx, attempt);
      if (stored) return stored;
      const amountDue = await this.intents.lock(tx, id);
      if (request.amount !== toMajor(amountDue.amountMinor, amountDue.currency)) {
        throw amountMismatch(amountDue);
      }
      const payment = await this.intents.findOrCreate(tx, amountDue, request.payment_method);
      return { payment, page: `${this.config.PUBLIC_URL}/checkout/${amountDue.checkoutId ?? ''}` };
    });
    if ('answer' in begun) return begun.answer;
    const payment = await this.intents.register(begun.payment);
    return this.idempotency.complete(
      this.dataSource.manager,
      attempt,
      createdPayment(payment, begun.page),
    );
  }

  /** The actor's payments, the newest first. */
  async history(actor: Caller, query: PageQuery): Promise<PaymentPage> {
    const { limit, offset } = paging(query);
    const { manager } = this.dataSource;
    const [payments, total] = await manager.findAndCount(Payment, {
      where: { userId: actor.user_id },
      order: { createdAt: 'DESC', id: 'ASC' },
      take: limit,
      skip: offset,
    });
    const amountsDue = await manager.findBy(AmountDue, {
      id: In(payments.map(({ amountDueId }) => amountDueId)),
    });
    const byId = new Map(amountsDue.map((amountDue) => [amountDue.id, amountDue]));
    const items = payments.flatMap((payment) => {
      const amountDue = byId.get(payment.amountDueId);
      return amountDue ? [paymentView(amountDue, payment)] : [];
    });
    return toPage(items, total, query);
  }

  /** @throws ApplicationError `NOT_FOUND` for an unknown payment and for another's */
  async get(actor: Caller, id: string): Promise<PaymentView> {
    const payment = await this.own(actor, id);
    return this.view(payment);
  }

  /**
   * Ends a payment of the sandbox provider the way its payer chooses. Choosing the same again changes nothing.
   * @throws ApplicationError `NOT_FOUND`, also with any other provider; `WRONG_STATE` when the payment has ended otherwise
   */
  async completeSandbox(actor: Caller, id: string, outcome: SandboxOutcome): Promise<PaymentView> {
    const payment = await this.own(actor, id);
    if (!(this.provider instanceof SandboxProvider) || payment.provider !== this.provider.name) {
      throw ApplicationError.notFound('The payment');
    }
    return this.view(await this.completeInSandbox(this.provider, payment, outcome));
  }

  /**
   * Completes a pending payment, as the sandbox provider would. A real provider's report is a fact; the sandbox's is
   * a wish, which is refused when the payment has ended in another way.
   */
  async completeInSandbox(
    sandbox: SandboxProvider,
    payment: Payment,
    outcome: SandboxOutcome,
  ): Promise<Payment> {
    const wanted = outcome === 'succeed' ? 'succeeded' : 'failed';
    if (payment.status === 'pending' && payment.expiresAt > this.clock.now()) {
      const registered = await this.intents.register(payment);
      const captured = await this.captures.capture(sandbox.report(registered, outcome));
      if (captured.status === wanted) return captured;
      throw hasEnded(captured.status);
    }
    if (payment.status === wanted) return payment;
    throw hasEnded(payment.status === 'pending' ? 'expired' : payment.status);
  }

  private async own(actor: Caller, id: string): Promise<Payment> {
    const payment = await this.dataSource.manager.findOneBy(Payment, {
      id,
      userId: actor.user_id,
    });
    if (!payment) throw ApplicationError.notFound('The payment');
    return payment;
  }

  private async view(payment: Payment): Promise<PaymentView> {
    const amountDue = await this.dataSource.manager.findOneByOrFail(AmountDue, {
      id: payment.amountDueId,
    });
    return paymentView(amountDue, payment);
  }
}

function amountMismatch({ amountMinor, currency }: AmountDue): ApplicationError {
  const price = `${toMajor(amountMinor, currency)} ${currency}`;
  return new ApplicationError('AMOUNT_MISMATCH', `The session costs ${price}.`, {
    errors: [{ field: 'amount', message: `amount must be the price of the session, ${price}.` }],
  });
}

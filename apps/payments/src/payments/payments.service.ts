import {
  type Caller,
  CodedError,
  type CreatedPayment,
  type CreatePayment,
  type PageQuery,
  type PaymentMethod,
  paymentCreated,
  type PaymentPage,
  type PaymentView,
  paging,
  type SandboxOutcome,
  toMajor,
  toPage,
} from '@mentorhub/contracts';
import { Outbox, requestContext } from '@mentorhub/messaging';
import { Idempotency, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import type { PaymentsConfig } from '../config.js';
import { Payable } from '../payables/payable.entity.js';
import { Payables } from '../payables/payables.service.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { SandboxProvider } from '../providers/sandbox-provider.js';
import { newPaymentId } from './payment-id.js';
import { Payment } from './payment.entity.js';
import { createdPayment, paymentView } from './payment-views.js';
import { paymentFact, Settlement } from './settlement.service.js';

@Injectable()
export class PaymentsService {
  constructor(
    @Inject(CONFIG) private readonly config: PaymentsConfig,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly idempotency: Idempotency,
    private readonly payables: Payables,
    private readonly settlement: Settlement,
    private readonly provider: PaymentProvider,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * The payment to make for a session: the one that waits already, else a new one.
   * @throws CodedError `NOT_FOUND` for a session that is not the actor's, `AMOUNT_MISMATCH`, `WRONG_STATE` when it is
   *   paid, has ended or its time to pay is over
   */
  async create(actor: Caller, request: CreatePayment): Promise<CreatedPayment> {
    const { id, userId } = await this.payables.byBooking(request.session_id);
    if (userId !== actor.user_id) throw CodedError.notFound('The session');
    const attempt = {
      userId: actor.user_id,
      operation: 'payments.create',
      key: requestContext.current()?.idempotencyKey,
      request,
    };
    return this.transactions.run((tx) =>
      this.idempotency.run(tx, attempt, async () => {
        const payable = await this.lock(tx, id);
        if (request.amount !== toMajor(payable.amountMinor, payable.currency)) {
          throw amountMismatch(payable);
        }
        const payment = await this.live(tx, payable, request.payment_method);
        return createdPayment(
          payment,
          `${this.config.PUBLIC_URL}/checkout/${payable.checkoutId ?? ''}`,
        );
      }),
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
    const payables = await manager.findBy(Payable, {
      id: In(payments.map(({ payableId }) => payableId)),
    });
    const byId = new Map(payables.map((payable) => [payable.id, payable]));
    const items = payments.flatMap((payment) => {
      const payable = byId.get(payment.payableId);
      return payable ? [paymentView(payable, payment)] : [];
    });
    return toPage(items, total, query);
  }

  /** @throws CodedError `NOT_FOUND` for an unknown payment and for another's */
  async get(actor: Caller, id: string): Promise<PaymentView> {
    const payment = await this.own(actor, id);
    return this.view(payment);
  }

  /**
   * Ends a payment of the sandbox provider the way its payer chooses. Choosing the same again changes nothing.
   * @throws CodedError `NOT_FOUND`, also with any other provider; `WRONG_STATE` when the payment has ended otherwise
   */
  async settleSandbox(actor: Caller, id: string, outcome: SandboxOutcome): Promise<PaymentView> {
    const payment = await this.own(actor, id);
    if (!(this.provider instanceof SandboxProvider) || payment.provider !== this.provider.name) {
      throw CodedError.notFound('The payment');
    }
    return this.view(await this.settleInSandbox(this.provider, payment, outcome));
  }

  /**
   * Settles a payment that waits, as the sandbox provider would. A real provider's report is a fact; the sandbox's is
   * a wish, which is refused when the payment has ended in another way.
   */
  async settleInSandbox(
    sandbox: SandboxProvider,
    payment: Payment,
    outcome: SandboxOutcome,
  ): Promise<Payment> {
    const wanted = outcome === 'succeed' ? 'succeeded' : 'failed';
    if (payment.status === 'pending' && payment.expiresAt > this.clock.now()) {
      const settled = await this.settlement.settle(sandbox.report(payment, outcome));
      if (settled.status === wanted) return settled;
      throw ended(settled.status);
    }
    if (payment.status === wanted) return payment;
    throw ended(payment.status === 'pending' ? 'expired' : payment.status);
  }

  /**
   * The payment of a payable that waits to be paid, made when there is none. The payable must be locked.
   * @throws CodedError `WRONG_STATE` when the payable cannot be paid any more
   */
  async live(tx: EntityManager, payable: Payable, method: PaymentMethod): Promise<Payment> {
    if (payable.state === 'paid') {
      throw new CodedError('WRONG_STATE', 'The session is paid already: there is nothing to pay.');
    }
    const now = this.clock.now();
    if (payable.state === 'closed' || payable.expiresAt <= now) {
      throw new CodedError(
        'WRONG_STATE',
        'The time to pay this session is over: book a session again.',
      );
    }
    const waiting = await tx.findOne(Payment, {
      where: { payableId: payable.id, status: 'pending' },
      lock: { mode: 'pessimistic_write' },
    });
    if (waiting) return waiting;

    const { amountMinor, currency } = payable;
    const id = newPaymentId();
    const { reference } = await this.provider.open({
      paymentId: id,
      method,
      amountMinor,
      currency,
    });
    const payment = tx.create(Payment, {
      id,
      payableId: payable.id,
      userId: payable.userId,
      provider: this.provider.name,
      providerReference: reference,
      amountMinor,
      refundedMinor: 0,
      currency,
      status: 'pending',
      expiresAt: payable.expiresAt,
      createdAt: now,
      updatedAt: now,
    });
    await tx.insert(Payment, payment);
    await this.outbox.add(tx, paymentCreated, payment.id, paymentFact(payable, payment));
    return payment;
  }

  /** Locks a payable until the end of the transaction. */
  lock(tx: EntityManager, id: number): Promise<Payable> {
    return tx.findOneOrFail(Payable, { where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  private async own(actor: Caller, id: string): Promise<Payment> {
    const payment = await this.dataSource.manager.findOneBy(Payment, {
      id,
      userId: actor.user_id,
    });
    if (!payment) throw CodedError.notFound('The payment');
    return payment;
  }

  private async view(payment: Payment): Promise<PaymentView> {
    const payable = await this.dataSource.manager.findOneByOrFail(Payable, {
      id: payment.payableId,
    });
    return paymentView(payable, payment);
  }
}

function amountMismatch({ amountMinor, currency }: Payable): CodedError {
  const price = `${toMajor(amountMinor, currency)} ${currency}`;
  return new CodedError('AMOUNT_MISMATCH', `The session costs ${price}.`, {
    errors: [{ field: 'amount', message: `amount must be the price of the session, ${price}.` }],
  });
}

function ended(status: string): CodedError {
  return new CodedError(
    'WRONG_STATE',
    `The payment is ${status}: create a new one if the session is still to be paid.`,
  );
}

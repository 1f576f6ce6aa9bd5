import {
  type Caller,
  ApplicationError,
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
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { AmountsDue } from '../amounts-due/amounts-due.service.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { SandboxProvider } from '../providers/sandbox-provider.js';
import { newPaymentId } from './payment-id.js';
import { Payment } from './payment.entity.js';
import { createdPayment, paymentView } from './payment-views.js';
import { paymentFact, Captures } from './capture.service.js';

@Injectable()
export class PaymentsService {
  constructor(
    @Inject(CONFIG) private readonly config: PaymentsConfig,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly idempotency: Idempotency,
    private readonly amountsDue: AmountsDue,
    private readonly captures: Captures,
    private readonly provider: PaymentProvider,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * The payment to make for a session: the one that waits already, else a new one.
   * @throws ApplicationError `NOT_FOUND` for a session that is not the actor's, `AMOUNT_MISMATCH`, `WRONG_STATE` when it is
   *   paid, has ended or its time to pay is over
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
    return this.transactions.run((tx) =>
      this.idempotency.run(tx, attempt, async () => {
        const amountDue = await this.lock(tx, id);
        if (request.amount !== toMajor(amountDue.amountMinor, amountDue.currency)) {
          throw amountMismatch(amountDue);
        }
        const payment = await this.findOrCreate(tx, amountDue, request.payment_method);
        return createdPayment(
          payment,
          `${this.config.PUBLIC_URL}/checkout/${amountDue.checkoutId ?? ''}`,
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
   * Completes a payment that waits, as the sandbox provider would. A real provider's report is a fact; the sandbox's is
   * a wish, which is refused when the payment has ended in another way.
   */
  async completeInSandbox(
    sandbox: SandboxProvider,
    payment: Payment,
    outcome: SandboxOutcome,
  ): Promise<Payment> {
    const wanted = outcome === 'succeed' ? 'succeeded' : 'failed';
    if (payment.status === 'pending' && payment.expiresAt > this.clock.now()) {
      const captured = await this.captures.capture(sandbox.report(payment, outcome));
      if (captured.status === wanted) return captured;
      throw ended(captured.status);
    }
    if (payment.status === wanted) return payment;
    throw ended(payment.status === 'pending' ? 'expired' : payment.status);
  }

  /**
   * The payment of a amount due that waits to be paid, made when there is none. The amount due must be locked.
   * @throws ApplicationError `WRONG_STATE` when the amount due cannot be paid any more
   */
  async findOrCreate(
    tx: EntityManager,
    amountDue: AmountDue,
    method: PaymentMethod,
  ): Promise<Payment> {
    if (amountDue.state === 'paid') {
      throw new ApplicationError(
        'WRONG_STATE',
        'The session is paid already: there is nothing to pay.',
      );
    }
    const now = this.clock.now();
    if (amountDue.state === 'closed' || amountDue.expiresAt <= now) {
      throw new ApplicationError(
        'WRONG_STATE',
        'The time to pay this session is over: book a session again.',
      );
    }
    const waiting = await tx.findOne(Payment, {
      where: { amountDueId: amountDue.id, status: 'pending' },
      lock: { mode: 'pessimistic_write' },
    });
    if (waiting) return waiting;

    const { amountMinor, currency } = amountDue;
    const id = newPaymentId();
    const { reference } = await this.provider.open({
      paymentId: id,
      method,
      amountMinor,
      currency,
    });
    const payment = tx.create(Payment, {
      id,
      amountDueId: amountDue.id,
      userId: amountDue.userId,
      provider: this.provider.name,
      providerReference: reference,
      amountMinor,
      refundedMinor: 0,
      currency,
      status: 'pending',
      expiresAt: amountDue.expiresAt,
      createdAt: now,
      updatedAt: now,
    });
    await tx.insert(Payment, payment);
    await this.outbox.add(tx, paymentCreated, payment.id, paymentFact(amountDue, payment));
    return payment;
  }

  /** Locks a amount due until the end of the transaction. */
  lock(tx: EntityManager, id: number): Promise<AmountDue> {
    return tx.findOneOrFail(AmountDue, { where: { id }, lock: { mode: 'pessimistic_write' } });
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

function ended(status: string): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    `The payment is ${status}: create a new one if the session is still to be paid.`,
  );
}

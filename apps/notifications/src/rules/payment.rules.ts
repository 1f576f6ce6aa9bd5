import {
  type EventEnvelope,
  type PaymentFact,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Notify } from '../notifications/notify.service.js';

const money = ({ description, amount_minor, currency }: PaymentFact) => ({
  description,
  amount_minor,
  currency,
});

const ids = ({ payment_id, booking_id }: PaymentFact) => ({
  payment_id,
  ...(booking_id === null ? {} : { session_id: booking_id }),
});

/** What users are notified of about their payments. */
@Controller()
export class PaymentRules {
  constructor(private readonly notify: Notify) {}

  @OnEvent(paymentSucceeded)
  async sendReceipt({ data }: EventEnvelope<PaymentFact>, tx: EntityManager): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'payment_received',
      params: money(data),
      data: ids(data),
    });
  }

  @OnEvent(paymentFailed, { key: 'PaymentRules.tellOfFailedPayment' })
  async notifyOfFailedPayment(
    { data }: EventEnvelope<PaymentFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'payment_failed',
      params: money(data),
      data: ids(data),
    });
  }

  @OnEvent(paymentRefunded, { key: 'PaymentRules.tellOfRefund' })
  async notifyOfRefund(
    { data }: EventEnvelope<PaymentFact & { refunded_minor: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'payment_refunded',
      params: { ...money(data), refunded_minor: data.refunded_minor },
      data: ids(data),
    });
  }
}

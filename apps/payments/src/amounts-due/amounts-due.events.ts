import {
  bookingCancelled,
  type BookingCancelled,
  bookingExpired,
  type BookingFact,
  bookingNoShow,
  type BookingNoShow,
  bookingRequested,
  type EventEnvelope,
  type BookingAmountDue,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Captures } from '../payments/capture.service.js';
import { AmountsDue } from './amounts-due.service.js';

@Controller()
export class AmountsDueEvents {
  constructor(
    private readonly amountsDue: AmountsDue,
    private readonly captures: Captures,
  ) {}

  @OnEvent(bookingRequested)
  async openAmountDue(
    { data }: EventEnvelope<BookingFact & { amount_due: BookingAmountDue | null }>,
    tx: EntityManager,
  ): Promise<void> {
    if (data.amount_due) await this.amountsDue.open(tx, data.amount_due);
  }

  @OnEvent(bookingCancelled)
  async refundWhenCancelled(
    { data }: EventEnvelope<BookingCancelled>,
    tx: EntityManager,
  ): Promise<void> {
    await this.captures.close(tx, data, data.refund_minor, 'booking_cancelled');
  }

  @OnEvent(bookingExpired)
  async refundWhenExpired(
    { data }: EventEnvelope<BookingFact & { refund_minor: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.captures.close(tx, data, data.refund_minor, 'booking_expired');
  }

  /** A mentor who was there keeps the price. */
  @OnEvent(bookingNoShow)
  async refundWhenMentorWasAbsent(
    { data }: EventEnvelope<BookingNoShow>,
    tx: EntityManager,
  ): Promise<void> {
    await this.captures.close(tx, data, data.refund_minor ?? 0, 'mentor_absent');
  }
}

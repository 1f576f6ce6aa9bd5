import {
  bookingCancelled,
  type BookingCancelled,
  bookingExpired,
  type BookingFact,
  bookingRequested,
  type EventEnvelope,
  type Payable,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Settlement } from '../payments/settlement.service.js';
import { Payables } from './payables.service.js';

@Controller()
export class PayablesEvents {
  constructor(
    private readonly payables: Payables,
    private readonly settlement: Settlement,
  ) {}

  @OnEvent(bookingRequested)
  async openPayable(
    { data }: EventEnvelope<BookingFact & { payable: Payable | null }>,
    tx: EntityManager,
  ): Promise<void> {
    if (data.payable) await this.payables.open(tx, data.payable);
  }

  @OnEvent(bookingCancelled)
  async refundWhenCancelled(
    { data }: EventEnvelope<BookingCancelled>,
    tx: EntityManager,
  ): Promise<void> {
    await this.settlement.close(tx, data, data.refund_minor, 'booking_cancelled');
  }

  @OnEvent(bookingExpired)
  async refundWhenExpired(
    { data }: EventEnvelope<BookingFact & { refund_minor: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.settlement.close(tx, data, data.refund_minor, 'booking_expired');
  }
}

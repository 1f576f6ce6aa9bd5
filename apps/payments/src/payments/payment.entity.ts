import type { PaymentMethod, PaymentState } from '@mentorhub/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One attempt to pay an amount due. */
@Entity('payments')
export class Payment {
  /** `pm_…`. */
  @PrimaryColumn({ type: 'text' })
  id: string;

  @Column({ type: 'integer' })
  amountDueId: number;

  /** Who pays; the same as the amount due's, for the history. */
  @Column({ type: 'integer' })
  userId: number;

  @Column({ type: 'text' })
  provider: string;

  /** How the provider names the payment; null until the provider has prepared it. */
  @Column({ type: 'text', nullable: true })
  providerReference: string | null;

  /** How it is to be paid. */
  @Column({ type: 'text', default: 'card' })
  method: PaymentMethod;

  /** Minor units. */
  @Column({ type: 'integer' })
  amountMinor: number;

  /** Minor units that went back. */
  @Column({ type: 'integer', default: 0 })
  refundedMinor: number;

  /** ISO 4217. */
  @Column({ type: 'text' })
  currency: string;

  @Column({ type: 'text', default: 'pending' })
  status: PaymentState;

  @Column({ type: 'timestamptz' })
  expiresAt: Date;

  @Column({ type: 'timestamptz' })
  createdAt: Date;

  @Column({ type: 'timestamptz' })
  updatedAt: Date;
}

/** A payment that the provider knows. */
export type RegisteredPayment = Payment & { providerReference: string };

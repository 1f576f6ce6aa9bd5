import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

export type RefundReason =
  'booking_cancelled' | 'booking_expired' | 'mentor_absent' | 'paid_too_late' | 'paid_twice';

/** Money of a payment that went back. */
@Entity('refunds')
export class Refund {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'text' })
  paymentId: string;

  /** Minor units. */
  @Column({ type: 'integer' })
  amountMinor: number;

  @Column({ type: 'text' })
  reason: RefundReason;

  @Column({ type: 'timestamptz' })
  createdAt: Date;
}

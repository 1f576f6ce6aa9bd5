import type { BookingStatus, Party, PaymentStatus } from '@mentorhub/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/**
 * A session of a mentee with a mentor. The exclusion constraint `booking_participants_overlap` keeps a person from
 * sitting in two live ones at once, in whatever role; mentors' buffers count.
 */
@Entity('bookings')
export class Booking {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  mentorId: number;

  @Column({ type: 'integer' })
  menteeUserId: number;

  @Column({ type: 'timestamptz' })
  startsAt: Date;

  @Column({ type: 'timestamptz' })
  endsAt: Date;

  /** Start and end with the buffers the mentor had when it was booked. */
  @Column({ type: 'timestamptz' })
  blockedFrom: Date;

  @Column({ type: 'timestamptz' })
  blockedUntil: Date;

  @Column({ type: 'text' })
  status: BookingStatus;

  @Column({ type: 'text' })
  paymentStatus: PaymentStatus;

  /** Minor units. */
  @Column({ type: 'integer' })
  priceMinor: number;

  /** ISO 4217. */
  @Column({ type: 'text' })
  currency: string;

  @Column({ type: 'text' })
  topic: string;

  @Column({ type: 'text', nullable: true })
  notes: string | null;

  /** Unguessable; names the checkout page. Null when the session is free. */
  @Column({ type: 'text', nullable: true })
  checkoutId: string | null;

  /** The payment that paid it. */
  @Column({ type: 'text', nullable: true })
  paymentId: string | null;

  /** What of the price was refunded, minor units. */
  @Column({ type: 'integer', default: 0 })
  refundedMinor: number;

  /** Until when an unpaid booking holds its time. */
  @Column({ type: 'timestamptz', nullable: true })
  holdExpiresAt: Date | null;

  @Column({ type: 'text', nullable: true })
  meetingUrl: string | null;

  @Column({ type: 'text', nullable: true })
  meetingPlatform: string | null;

  /** The mentee's, 1 to 5. */
  @Column({ type: 'smallint', nullable: true })
  rating: number | null;

  /** From the mentee to the mentor. */
  @Column({ type: 'text', nullable: true })
  menteeFeedback: string | null;

  /** From the mentor to the mentee. */
  @Column({ type: 'text', nullable: true })
  mentorFeedback: string | null;

  @Column({ type: 'text', nullable: true })
  cancellationReason: string | null;

  /** Who missed it; set exactly when the status is `no_show`. */
  @Column({ type: 'text', nullable: true })
  absentParty: Party | null;

  @Column({ type: 'timestamptz', nullable: true })
  completedAt: Date | null;

  /** Rises with every change; guards against stale writes. */
  @Column({ type: 'integer', default: 1 })
  version: number;

  @Column({ type: 'timestamptz' })
  createdAt: Date;
}

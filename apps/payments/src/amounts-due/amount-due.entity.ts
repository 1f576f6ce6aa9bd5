import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/**
 * - `open`: can be paid until `expiresAt`
 * - `paid`: money was taken for it
 * - `closed`: what it was due for has ended; later money goes back
 */
export type AmountDueState = 'open' | 'paid' | 'closed';

/** What a user owes for a booking, as mentorship published it. */
@Entity('amounts_due')
export class AmountDue {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  bookingId: number;

  /** Unguessable; names the checkout page. Null when the event of the booking's end arrived before that of its beginning. */
  @Column({ type: 'text', nullable: true })
  checkoutId: string | null;

  /** Who pays. */
  @Column({ type: 'integer' })
  userId: number;

  /** Who earns. */
  @Column({ type: 'integer' })
  mentorUserId: number;

  /** Minor units. */
  @Column({ type: 'integer' })
  amountMinor: number;

  /** ISO 4217. */
  @Column({ type: 'text' })
  currency: string;

  @Column({ type: 'text' })
  description: string;

  @Column({ type: 'timestamptz' })
  expiresAt: Date;

  @Column({ type: 'text', default: 'open' })
  state: AmountDueState;
}

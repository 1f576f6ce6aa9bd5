import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What changes with every booking and review of a mentor. The database adds the row with the mentor's. */
@Entity('mentor_stats')
export class MentorStats {
  @PrimaryColumn({ type: 'integer' })
  mentorId: number;

  @Column({ type: 'integer', default: 0 })
  ratingSum: number;

  @Column({ type: 'integer', default: 0 })
  ratingCount: number;

  @Column({ type: 'integer', default: 0 })
  completedSessions: number;

  /** Rises with every change of rules or bookings, so that an outdated `nextAvailableAt` is never stored. */
  @Column({ type: 'integer', default: 0 })
  availabilityRevision: number;

  /** The first free start, as last computed; null when there was none. */
  @Column({ type: 'timestamptz', nullable: true })
  nextAvailableAt: Date | null;

  /** `nextAvailableAt` holds up to this instant; null when it must be computed. */
  @Column({ type: 'timestamptz', nullable: true })
  nextAvailableUntil: Date | null;
}

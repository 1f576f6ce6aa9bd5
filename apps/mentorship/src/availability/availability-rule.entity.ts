import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import type { WorkingHours } from './domain/working-hours.js';

/** One entry of a mentor's availability. */
@Entity('availability_rules')
export class AvailabilityRuleEntity implements WorkingHours {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  mentorId: number;

  /** Sunday = 0; null for a dated entry. */
  @Column({ type: 'smallint', nullable: true })
  dayOfWeek: number | null;

  /** `2026-11-25`; null for a weekly entry. */
  @Column({ type: 'date', nullable: true })
  date: string | null;

  @Column({ type: 'smallint' })
  startMinute: number;

  @Column({ type: 'smallint' })
  endMinute: number;

  @Column({ type: 'boolean', default: true })
  active: boolean;
}

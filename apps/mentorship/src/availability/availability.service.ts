import {
  type AvailabilityRuleView,
  type AvailabilityView,
  type Caller,
  ApplicationError,
  mentorUpdated,
  type ReplaceAvailability,
  timeZoneOf,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Mentor } from '../mentors/mentor.entity.js';
import { AvailabilityRuleEntity } from './availability-rule.entity.js';
import { clockTime, readRules } from './domain/availability-rules.js';
import type { WorkingHours } from './domain/working-hours.js';
import { SchedulesRepository } from './schedules.repository.js';

/** When mentors work, as they set it. */
@Injectable()
export class AvailabilityService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly schedules: SchedulesRepository,
    private readonly outbox: Outbox,
  ) {}

  /** @throws ApplicationError `NOT_A_MENTOR` unless the actor is an approved mentor */
  async mine(actor: Caller): Promise<AvailabilityView> {
    const mentor = await this.mentorOf(this.dataSource.manager, actor);
    return this.view(this.dataSource.manager, mentor);
  }

  /** The availability of any mentor. */
  async view(
    tx: EntityManager,
    { id, timezone }: Pick<Mentor, 'id' | 'timezone'>,
  ): Promise<AvailabilityView> {
    return { timezone: timeZoneOf(timezone), rules: await this.rules(tx, id) };
  }

  /**
   * Replaces all entries at once. What is booked stays booked.
   *
   * @throws ApplicationError `NOT_A_MENTOR`, `VALIDATION_FAILED` with one error for each entry that does not fit
   */
  replace(actor: Caller, { rules, timezone }: ReplaceAvailability): Promise<AvailabilityView> {
    const { hours, errors } = readRules(rules);
    if (errors.length > 0) {
      throw new ApplicationError('VALIDATION_FAILED', 'Some rules do not fit.', { errors });
    }
    return this.transactions.run(async (tx) => {
      const mentor = await this.mentorOf(tx, actor, { lock: true });
      if (timezone !== undefined && timezone !== mentor.timezone) {
        await tx.update(Mentor, mentor.id, { timezone });
        mentor.timezone = timezone;
      }
      await this.write(tx, mentor.id, hours);
      await this.outbox.add(tx, mentorUpdated, mentor.id, {
        mentor_id: mentor.id,
        user_id: mentor.userId,
      });
      return this.view(tx, mentor);
    });
  }

  /** Replaces a mentor's entries by checked ones. */
  async write(tx: EntityManager, mentorId: number, hours: readonly WorkingHours[]): Promise<void> {
    await tx.delete(AvailabilityRuleEntity, { mentorId });
    await tx.insert(
      AvailabilityRuleEntity,
      hours.map((entry) => ({ mentorId, ...entry })),
    );
    await this.schedules.changed(tx, [mentorId]);
  }

  private async rules(tx: EntityManager, mentorId: number): Promise<AvailabilityRuleView[]> {
    const rules = await tx.find(AvailabilityRuleEntity, {
      where: { mentorId },
      order: { date: { direction: 'ASC', nulls: 'FIRST' }, dayOfWeek: 'ASC', startMinute: 'ASC' },
    });
    return rules.map(({ id, dayOfWeek, date, startMinute, endMinute, active }) => ({
      id,
      day_of_week: dayOfWeek,
      start_time: clockTime(startMinute),
      end_time: clockTime(endMinute),
      is_recurring: date === null,
      specific_date: date,
      is_active: active,
    }));
  }

  private async mentorOf(
    tx: EntityManager,
    { user_id: userId }: Caller,
    { lock = false } = {},
  ): Promise<Mentor> {
    const mentor = await tx.findOne(Mentor, {
      where: { userId },
      ...(lock ? { lock: { mode: 'for_no_key_update' as const } } : {}),
    });
    if (mentor?.status === 'approved') return mentor;
    throw new ApplicationError(
      'NOT_A_MENTOR',
      'Only approved mentors have availability: apply as a mentor first.',
    );
  }
}

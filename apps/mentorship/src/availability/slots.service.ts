import { ApplicationError, type FindSlots, type Slot, type SlotList } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { rfc3339 } from '../instants.js';
import { bookableStarts } from './domain/slots.js';
import { type MentorSchedule, SchedulesRepository } from './schedules.repository.js';

const minute = 60_000;
const day = 24 * 60 * minute;
const longestSearch = 62 * day;
const usualSearch = 14 * day;
const longestSession = 8 * 60 * minute;

/** Free slots of mentors. */
@Injectable()
export class SlotsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly schedules: SchedulesRepository,
    private readonly clock: Clock,
  ) {}

  /**
   * Slots that can be booked now.
   *
   * @throws ApplicationError `NOT_FOUND` without an approved mentor, `VALIDATION_FAILED` for a span over 62 days or a length
   *   that the mentor does not offer
   */
  async find({
    id,
    from,
    to,
    duration_minutes,
    timezone,
  }: FindSlots & { id: number }): Promise<SlotList> {
    const now = this.clock.now();
    const start = from === undefined ? now.getTime() : Date.parse(from);
    const end = to === undefined ? start + usualSearch : Date.parse(to);
    if (end <= start) throw ApplicationError.invalid('to', 'to must be later than from.');
    if (end - start > longestSearch) {
      throw ApplicationError.invalid('to', 'to must be at most 62 days after from.');
    }
    const schedule = await this.schedule(id, start, end);
    const durationMinutes = duration_minutes ?? schedule.durations[0] ?? 60;
    checkDuration(schedule, durationMinutes);
    const timeZone = timezone ?? schedule.rules.timeZone;
    return {
      timezone: timeZone,
      slots: this.search(schedule, { from: start, to: end, durationMinutes, timeZone }),
    };
  }

  /** Slots of the usual length within the next days, in the mentor's zone. */
  async ofNextDays(id: number, days: number): Promise<Slot[]> {
    const from = this.clock.now().getTime();
    const to = from + days * day;
    const schedule = await this.schedule(id, from, to);
    const durationMinutes = schedule.durations[0] ?? 60;
    return this.search(schedule, { from, to, durationMinutes, timeZone: schedule.rules.timeZone });
  }

  private async schedule(id: number, from: number, to: number): Promise<MentorSchedule> {
    const schedules = await this.schedules.load(this.dataSource.manager, [id], {
      from: new Date(from - longestSession),
      to: new Date(to + 2 * longestSession),
      holdsOverAt: this.clock.now(),
    });
    const schedule = schedules.get(id);
    if (schedule?.status !== 'approved') throw ApplicationError.notFound('The mentor');
    return schedule;
  }

  private search(
    schedule: MentorSchedule,
    span: { from: number; to: number; durationMinutes: number; timeZone: string },
  ): Slot[] {
    const now = this.clock.now().getTime();
    return bookableStarts(schedule, { ...span, now }).map((start) => ({
      starts_at: rfc3339(start),
      ends_at: rfc3339(start + span.durationMinutes * minute),
      local_start: localTime(start, span.timeZone),
    }));
  }
}

/** @throws ApplicationError `VALIDATION_FAILED` when the mentor does not offer sessions of this length */
export function checkDuration({ durations }: MentorSchedule, durationMinutes: number): void {
  if (durations.includes(durationMinutes)) return;
  throw ApplicationError.invalid(
    'duration_minutes',
    `duration_minutes must be one of those this mentor offers: ${durations.toSorted((a, b) => a - b).join(', ')}.`,
  );
}

/** `2026-11-25T16:00:00+01:00`. */
function localTime(instant: number, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(instant).toString({
    timeZone,
    smallestUnit: 'second',
  });
}

import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { bookableStarts, endOfBookingWindow, endOfToday } from './domain/slots.js';
import { type MentorSchedule, SchedulesRepository } from './schedules.repository.js';

/** What a row of `mentor_stats` remembers of the first free start. */
export interface Remembered {
  readonly id: number;
  readonly nextAvailableAt: Date | null;
  readonly nextAvailableUntil: Date | null;
}

interface Computed {
  readonly mentorId: number;
  readonly revision: number;
  readonly at: Date | null;
  readonly until: Date;
}

const minute = 60_000;
const farthest = 400 * 24 * 60 * minute;

/**
 * The first free start of mentors. Mentors remember it with the instant up to which it holds, because reading it for a
 * list would otherwise mean a search through every calendar. Whatever changes a calendar forgets it
 * (`SchedulesRepository.changed`), and the next reader computes it anew.
 */
@Injectable()
export class NextAvailable {
  private readonly logger = new Logger(NextAvailable.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly schedules: SchedulesRepository,
    private readonly clock: Clock,
  ) {}

  /** The first bookable start of each mentor, by id; null when the booking window has none. */
  async of(mentors: readonly Remembered[]): Promise<Map<number, Date | null>> {
    const now = this.clock.now();
    const answers = new Map(mentors.map(({ id, nextAvailableAt }) => [id, nextAvailableAt]));
    const forgotten = mentors.filter(
      ({ nextAvailableUntil }) => !nextAvailableUntil || nextAvailableUntil < now,
    );
    if (forgotten.length === 0) return answers;

    const ids = forgotten.map(({ id }) => id);
    const to = new Date(now.getTime() + farthest);
    const schedules = await this.schedules.load(this.dataSource.manager, ids, {
      from: now,
      to,
      holdsOverAt: now,
    });
    const computed = [...schedules.values()].flatMap((schedule) => this.computed(schedule, now));
    for (const { mentorId, at } of computed) answers.set(mentorId, at);
    await this.remember(computed);
    return answers;
  }

  /** Nothing, and a line in the log, for a calendar that cannot be computed: it must not fail a whole list. */
  private computed(schedule: MentorSchedule, now: Date): Computed[] {
    try {
      return [compute(schedule, now.getTime())];
    } catch (error) {
      this.logger.error('The calendar of a mentor could not be computed.', error, {
        mentor_id: schedule.mentorId,
      });
      return [];
    }
  }

  /** Stores what was computed, unless the calendar has changed meanwhile or is being changed right now. */
  private async remember(computed: readonly Computed[]): Promise<void> {
    await this.dataSource.query(
      `UPDATE mentor_stats SET next_available_at = locked.at, next_available_until = locked.until
       FROM (
         SELECT s.mentor_id, new.at, new.until
         FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[])
           AS new (id, revision, at, until)
         JOIN mentor_stats s ON s.mentor_id = new.id AND s.availability_revision = new.revision
         ORDER BY s.mentor_id FOR NO KEY UPDATE OF s SKIP LOCKED
       ) AS locked
       WHERE mentor_stats.mentor_id = locked.mentor_id`,
      [
        computed.map(({ mentorId }) => mentorId),
        computed.map(({ revision }) => revision),
        computed.map(({ at }) => at),
        computed.map(({ until }) => until),
      ],
    );
  }
}

function compute(schedule: MentorSchedule, now: number): Computed {
  const { rules, durations, nextHoldEnd = Infinity } = schedule;
  const [first] = bookableStarts(schedule, {
    from: now,
    to: endOfBookingWindow(rules, now),
    durationMinutes: durations[0] ?? 60,
    now,
    limit: 1,
  });
  // It holds while there is still enough notice; without one, until the booking window reaches a new day.
  const until =
    first === undefined
      ? endOfToday(rules.timeZone, now)
      : first - rules.minimumNoticeMinutes * minute;
  return {
    mentorId: schedule.mentorId,
    revision: schedule.revision,
    at: first === undefined ? null : new Date(first),
    until: new Date(Math.min(until, nextHoldEnd)),
  };
}

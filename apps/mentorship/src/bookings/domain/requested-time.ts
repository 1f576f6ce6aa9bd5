import { ApplicationError, type CreateBooking } from '@mentorhub/contracts';

/** When a session is wanted. */
export interface RequestedTime {
  /** Unix milliseconds. */
  readonly start: number;
  readonly durationMinutes: number;
}

type WallClock = Pick<CreateBooking, 'session_date' | 'start_time' | 'end_time' | 'timezone'>;

/**
 * The time that a date and two clock times mean in their zone, or in the mentor's. Of a time that comes twice when the
 * clocks go back, the first is meant.
 *
 * @throws ApplicationError `VALIDATION_FAILED` for a time that the clocks skip, and when the end is not after the start
 */
export function requestedTime(
  { session_date, start_time, end_time, timezone }: WallClock,
  mentorTimezone: string,
): RequestedTime {
  const timeZone = timezone ?? mentorTimezone;
  const start = instantOf('start_time', session_date, start_time, timeZone);
  const end = instantOf('end_time', session_date, end_time, timeZone);
  if (end <= start)
    throw ApplicationError.invalid('end_time', 'end_time must be later than start_time.');
  return { start, durationMinutes: (end - start) / 60_000 };
}

function instantOf(field: string, date: string, time: string, timeZone: string): number {
  const endsDay = time === '24:00';
  const day = Temporal.PlainDate.from(date);
  const plainTime = Temporal.PlainTime.from(endsDay ? '00:00' : time);
  const zoned = (endsDay ? day.add({ days: 1 }) : day).toZonedDateTime({ timeZone, plainTime });
  if (!zoned.toPlainTime().equals(plainTime)) {
    throw ApplicationError.invalid(
      field,
      `${field} does not exist on that day: the clocks skip it.`,
    );
  }
  return zoned.epochMilliseconds;
}

import { type Interval, join } from './interval.js';

/** One entry of a mentor's availability: wall-clock time of the mentor's zone, on a weekday or on one date. */
export interface WorkingHours {
  /** Sunday = 0; null for a dated entry. */
  readonly dayOfWeek: number | null;
  /** `2026-11-25`; null for a weekly entry. */
  readonly date: string | null;
  /** Minutes after midnight. */
  readonly startMinute: number;
  /** Minutes after midnight, up to 1440. */
  readonly endMinute: number;
  readonly active: boolean;
}

const minutesPerDay = 1440;

/**
 * The windows in which a mentor works on the local dates `first` to `last`, in order. Those of one date that touch are
 * joined; a window that ends at midnight and the one that begins there stay two, because each anchors its own starts.
 *
 * Entries of a date replace the weekday's entries on it; an inactive one blocks the date.
 */
export function windows(
  hours: readonly WorkingHours[],
  timeZone: string,
  first: Temporal.PlainDate,
  last: Temporal.PlainDate,
): Interval[] {
  const weekly = Map.groupBy(
    hours.filter((entry) => entry.date === null && entry.active),
    (entry) => entry.dayOfWeek,
  );
  const dated = Map.groupBy(
    hours.filter((entry) => entry.date !== null),
    (entry) => entry.date,
  );
  const found: Interval[] = [];
  for (
    let date = first;
    Temporal.PlainDate.compare(date, last) <= 0;
    date = date.add({ days: 1 })
  ) {
    const ofDate = dated.get(date.toString());
    if (ofDate?.some((entry) => !entry.active)) continue;
    // Temporal counts Monday = 1 … Sunday = 7.
    const entries = ofDate ?? weekly.get(date.dayOfWeek % 7) ?? [];
    found.push(
      ...join(
        entries.map(({ startMinute, endMinute }) => ({
          start: instantOf(date, startMinute, timeZone),
          end: instantOf(date, endMinute, timeZone),
        })),
      ),
    );
  }
  return found;
}

/**
 * The instant of a wall-clock time. A time that the clocks skip is the instant of the change, so that hours inside the
 * gap are empty; of a time that comes twice it is the first.
 */
function instantOf(date: Temporal.PlainDate, minute: number, timeZone: string): number {
  const day = minute < minutesPerDay ? date : date.add({ days: 1 });
  const plainTime = new Temporal.PlainTime(Math.floor(minute / 60) % 24, minute % 60);
  const zoned = day.toZonedDateTime({ timeZone, plainTime });
  if (zoned.toPlainTime().equals(plainTime)) return zoned.epochMilliseconds;
  // `previous` is strictly before, and the skipped time may resolve to the change itself.
  const change = zoned.add({ milliseconds: 1 }).getTimeZoneTransition('previous');
  return (change ?? zoned).epochMilliseconds;
}

import { type Interval, join } from './interval.js';
import { windows, type WorkingHours } from './working-hours.js';

const minute = 60_000;

/** When a mentor can be booked, apart from what is booked already. */
export interface SchedulingRules {
  /** IANA zone of the working hours. */
  readonly timeZone: string;
  /** Starts lie this many minutes apart, counted from the start of each window. */
  readonly slotIntervalMinutes: number;
  /** Kept free before and after each session; two neighbours keep both. */
  readonly bufferBeforeMinutes: number;
  readonly bufferAfterMinutes: number;
  /** A session is booked at least this long before its start. */
  readonly minimumNoticeMinutes: number;
  /** Bookable are today, in the mentor's zone, and this many days after it. */
  readonly bookingWindowDays: number;
}

export interface Schedule {
  readonly rules: SchedulingRules;
  readonly hours: readonly WorkingHours[];
  /** The mentor's sessions: as mentor with the buffers they were booked with, as mentee without. */
  readonly busy: readonly Interval[];
  /** The mentee's other sessions; our buffers do not apply to them. */
  readonly alsoBusy?: readonly Interval[];
}

export interface SlotSearch {
  /** Starts are sought in `[from, to)`, Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  readonly durationMinutes: number;
  readonly now: number;
  /** Stop after this many. */
  readonly limit?: number;
}

/** The starts at which a session can be booked, ascending, in Unix milliseconds. */
export function bookableStarts(schedule: Schedule, search: SlotSearch): number[] {
  const { rules, hours } = schedule;
  const from = Math.max(search.from, search.now + rules.minimumNoticeMinutes * minute);
  const to = Math.min(search.to, endOfBookingWindow(rules, search.now));
  if (from >= to) return [];
  const first = dateAt(from, rules.timeZone);
  // A session that begins on the last date may run into the next one.
  const last = dateAt(to, rules.timeZone).add({ days: 1 });
  return startsIn(windows(hours, rules.timeZone, first, last), schedule, { ...search, from, to });
}

/** The starts within given windows: `bookableStarts` without the calendar. */
export function startsIn(
  open: readonly Interval[],
  { rules, busy, alsoBusy = [] }: Omit<Schedule, 'hours'>,
  { from, to, durationMinutes, limit = Infinity }: Omit<SlotSearch, 'now'>,
): number[] {
  const duration = durationMinutes * minute;
  const interval = rules.slotIntervalMinutes * minute;
  const before = rules.bufferBeforeMinutes * minute;
  const after = rules.bufferAfterMinutes * minute;
  const isBusy = sweep(busy);
  const isAlsoBusy = sweep(alsoBusy);
  const continuous = join(open);

  const starts: number[] = [];
  let stretch = 0;
  for (const window of open) {
    while ((continuous[stretch]?.end ?? Infinity) <= window.start) stretch++;
    const lastStart = Math.min((continuous[stretch]?.end ?? window.end) - duration, to - 1);
    // Past windows are skipped in one step, so that the grid stays anchored at the start of the window.
    const skipped = Math.max(0, Math.ceil((from - window.start) / interval));
    for (
      let start = window.start + skipped * interval;
      start <= lastStart && start < window.end;
      start += interval
    ) {
      const end = start + duration;
      if (isBusy(start - before, end + after) || isAlsoBusy(start, end)) continue;
      starts.push(start);
      if (starts.length >= limit) return starts;
    }
  }
  return starts;
}

/** Whether one start can be booked. */
export function isBookable(
  schedule: Schedule,
  { start, durationMinutes, now }: { start: number; durationMinutes: number; now: number },
): boolean {
  return bookableStarts(schedule, { from: start, to: start + 1, durationMinutes, now }).length > 0;
}

/** The free starts nearest to a wanted one, nearest first, the earlier of two equally near. */
export function nearestStarts(
  schedule: Schedule,
  search: SlotSearch & { wanted: number; count: number },
): number[] {
  return bookableStarts(schedule, search)
    .filter((start) => start !== search.wanted)
    .toSorted((a, b) => Math.abs(a - search.wanted) - Math.abs(b - search.wanted) || a - b)
    .slice(0, search.count);
}

/** The first instant that is too far ahead to be booked. */
export function endOfBookingWindow(rules: SchedulingRules, now: number): number {
  return startOfDate(
    dateAt(now, rules.timeZone).add({ days: rules.bookingWindowDays + 1 }),
    rules.timeZone,
  );
}

/** Midnight that ends the mentor's present day. */
export function endOfToday(timeZone: string, now: number): number {
  return startOfDate(dateAt(now, timeZone).add({ days: 1 }), timeZone);
}

function dateAt(instant: number, timeZone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone).toPlainDate();
}

function startOfDate(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds;
}

/** Answers whether a span meets any of `taken`; spans must be given in ascending order. */
function sweep(taken: readonly Interval[]): (start: number, end: number) => boolean {
  const blocks = join(taken);
  let next = 0;
  return (start, end) => {
    while ((blocks[next]?.end ?? Infinity) <= start) next++;
    return (blocks[next]?.start ?? Infinity) < end;
  };
}

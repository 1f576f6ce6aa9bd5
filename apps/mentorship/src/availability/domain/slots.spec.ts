import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Interval, join, subtract } from './interval.js';
import { bookableStarts, nearestStarts, type Schedule, startsIn } from './slots.js';
import { windows, type WorkingHours } from './working-hours.js';

/** The published cases of `test/data/slot-cases.json` whose features this model has; its readme explains them. */
interface SlotCase {
  id: string;
  title: string;
  now: string;
  event: {
    durationMin: number;
    slotIntervalMin?: number;
    minNoticeMin?: number;
    bufferBeforeMin?: number;
    bufferAfterMin?: number;
    bookingWindow?: { days: number };
  };
  host?: {
    timeZone: string;
    weekly: { days: number[]; start: string; end: string }[];
    overrides?: { date: string; start: string; end: string }[];
  };
  freeRanges?: [string, string][];
  busy?: { start: string; end: string; bufferBeforeMin?: number; bufferAfterMin?: number }[];
  query: { from: string; to: string; viewerTimeZone: string };
  expect: {
    slots?: string[];
    count?: number;
    first?: string;
    last?: string;
    absent?: string[];
    noneBefore?: string;
    firstByViewerDate?: Record<string, string>;
    windows?: [string, string][];
  };
}

const minute = 60_000;
const { cases } = JSON.parse(
  readFileSync(new URL('../../../test/data/slot-cases.json', import.meta.url), 'utf8'),
) as { cases: SlotCase[] };

const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/** Hours end on whole minutes here; the cases also write the end of a day as 23:59:59.999. */
const wholeMinute = (instant: string): number =>
  Math.ceil((Date.parse(instant) - 1) / minute) * minute || Date.parse(instant);

const span = ({ start, end }: { start: string; end: string }) => ({
  startMinute: minuteOf(start),
  endMinute: minuteOf(end),
  active: true,
});

function hoursOf(host: SlotCase['host']): WorkingHours[] {
  return [
    ...(host?.weekly ?? []).flatMap((entry) =>
      entry.days.map((dayOfWeek) => ({ dayOfWeek, date: null, ...span(entry) })),
    ),
    ...(host?.overrides ?? []).map((entry) => ({
      dayOfWeek: null,
      date: entry.date,
      ...span(entry),
    })),
  ];
}

function scheduleOf({ event, host, busy = [] }: SlotCase): Schedule {
  return {
    rules: {
      timeZone: host?.timeZone ?? 'UTC',
      slotIntervalMinutes: event.slotIntervalMin ?? event.durationMin,
      bufferBeforeMinutes: event.bufferBeforeMin ?? 0,
      bufferAfterMinutes: event.bufferAfterMin ?? 0,
      minimumNoticeMinutes: event.minNoticeMin ?? 0,
      bookingWindowDays: event.bookingWindow?.days ?? 365,
    },
    hours: hoursOf(host),
    busy: busy.map(({ start, end, bufferBeforeMin = 0, bufferAfterMin = 0 }) => ({
      start: Date.parse(start) - bufferBeforeMin * minute,
      end: Date.parse(end) + bufferAfterMin * minute,
    })),
  };
}

function solve(slotCase: SlotCase): number[] {
  const schedule = scheduleOf(slotCase);
  const now = Date.parse(slotCase.now);
  const from = Date.parse(slotCase.query.from);
  const to = Date.parse(slotCase.query.to);
  const durationMinutes = slotCase.event.durationMin;
  if (!slotCase.freeRanges) return bookableStarts(schedule, { from, to, durationMinutes, now });
  const ranges = slotCase.freeRanges.map(([start, end]) => ({
    start: Date.parse(start),
    end: wholeMinute(end),
  }));
  const earliest = Math.max(from, now + (slotCase.event.minNoticeMin ?? 0) * minute);
  return startsIn(join(ranges), schedule, { from: earliest, to, durationMinutes });
}

const text = (instant: number): string => new Date(instant).toISOString().replace('.000Z', 'Z');

const viewerDate = (start: string, timeZone: string): string =>
  Temporal.Instant.from(start).toZonedDateTimeISO(timeZone).toPlainDate().toString();

/** What the engine says about everything that a case expects, in the case's own shape. */
function observe(slotCase: SlotCase): SlotCase['expect'] {
  const { expect: wanted, query } = slotCase;
  const starts = solve(slotCase).map(text);
  const observations: Required<SlotCase['expect']> = {
    slots: starts,
    count: starts.length,
    first: starts[0] ?? 'none',
    last: starts.at(-1) ?? 'none',
    absent: wanted.absent?.filter((start) => !starts.includes(start)) ?? [],
    noneBefore: starts.some((start) => start < (wanted.noneBefore ?? ''))
      ? 'some before'
      : (wanted.noneBefore ?? ''),
    firstByViewerDate: Object.fromEntries(
      Object.keys(wanted.firstByViewerDate ?? {}).map((date) => [
        date,
        starts.find((start) => viewerDate(start, query.viewerTimeZone) === date) ?? 'none',
      ]),
    ),
    windows: wanted.windows ? freeWindows(slotCase) : [],
  };
  return Object.fromEntries(
    (Object.keys(wanted) as (keyof SlotCase['expect'])[]).map((key) => [key, observations[key]]),
  );
}

function freeWindows({ host, query, busy = [] }: SlotCase): [string, string][] {
  const timeZone = host?.timeZone ?? 'UTC';
  const dateOf = (instant: string) =>
    Temporal.Instant.from(instant).toZonedDateTimeISO(timeZone).toPlainDate();
  const open = windows(hoursOf(host), timeZone, dateOf(query.from), dateOf(query.to));
  const taken = busy.map(({ start, end }) => ({ start: Date.parse(start), end: Date.parse(end) }));
  return subtract(open, taken)
    .filter(({ start, end }) => start < Date.parse(query.to) && end > Date.parse(query.from))
    .map(({ start, end }) => [text(start), text(end)]);
}

describe('the published slot cases', () => {
  it.for(cases)('$id: $title', (slotCase) => {
    expect(observe(slotCase)).toEqual(slotCase.expect);
  });
});

const day = 86_400_000;
const now = Date.parse('2026-11-21T10:00:00Z');

const rules = {
  timeZone: 'Europe/Berlin',
  slotIntervalMinutes: 30,
  bufferBeforeMinutes: 0,
  bufferAfterMinutes: 0,
  minimumNoticeMinutes: 60,
  bookingWindowDays: 60,
};

const everyDay = (start: string, end: string): WorkingHours[] =>
  [0, 1, 2, 3, 4, 5, 6].map((dayOfWeek) => ({
    dayOfWeek,
    date: null,
    startMinute: minuteOf(start),
    endMinute: minuteOf(end),
    active: true,
  }));

describe('bookable starts', () => {
  it('follow the wall clock of the mentor across the end of summer time', () => {
    const schedule = { rules, hours: everyDay('09:00', '10:00'), busy: [] };
    const starts = bookableStarts(schedule, {
      from: Date.parse('2027-03-27T00:00:00Z'),
      to: Date.parse('2027-03-30T00:00:00Z'),
      durationMinutes: 60,
      now: Date.parse('2027-03-01T00:00:00Z'),
    });
    expect(starts.map(text)).toEqual([
      '2027-03-27T08:00:00Z',
      '2027-03-28T07:00:00Z',
      '2027-03-29T07:00:00Z',
    ]);
  });

  it('do not exist in hours that the clocks skip', () => {
    const schedule = { rules, hours: everyDay('02:00', '03:00'), busy: [] };
    const starts = bookableStarts(schedule, {
      from: Date.parse('2027-03-28T00:00:00Z'),
      to: Date.parse('2027-03-29T00:00:00Z'),
      durationMinutes: 30,
      now: Date.parse('2027-03-01T00:00:00Z'),
    });
    expect(starts).toEqual([]);
  });

  it('are none on a date that an inactive entry blocks', () => {
    const blocked = {
      dayOfWeek: null,
      date: '2026-11-25',
      startMinute: 0,
      endMinute: 1440,
      active: false,
    };
    const schedule = { rules, hours: [...everyDay('09:00', '17:00'), blocked], busy: [] };
    const search = { durationMinutes: 60, now };
    expect(
      bookableStarts(schedule, {
        ...search,
        from: Date.parse('2026-11-25T00:00:00Z'),
        to: Date.parse('2026-11-26T00:00:00Z'),
      }),
    ).toEqual([]);
  });

  it('are offered nearest first when the wanted one is gone', () => {
    const wanted = Date.parse('2026-11-25T11:00:00Z');
    const schedule = {
      rules,
      hours: everyDay('09:00', '17:00'),
      busy: [{ start: wanted, end: wanted + 60 * minute }],
    };
    const nearest = nearestStarts(schedule, {
      from: now,
      to: wanted + 7 * day,
      durationMinutes: 60,
      now,
      wanted,
      count: 3,
    });
    expect(nearest.map(text)).toEqual([
      '2026-11-25T10:00:00Z',
      '2026-11-25T12:00:00Z',
      '2026-11-25T09:30:00Z',
    ]);
  });
});

describe('for every schedule', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Pacific/Apia',
  );
  const hours = fc.array(
    fc
      .record({
        dayOfWeek: fc.integer({ min: 0, max: 6 }),
        startMinute: fc.integer({ min: 0, max: 1439 }),
        length: fc.integer({ min: 1, max: 1440 }),
      })
      .map(({ dayOfWeek, startMinute, length }): WorkingHours => ({
        dayOfWeek,
        date: null,
        startMinute,
        endMinute: Math.min(1440, startMinute + length),
        active: true,
      })),
    { maxLength: 10 },
  );
  const busy = fc.array(
    fc
      .record({
        offset: fc.integer({ min: 0, max: 20 * 1440 }),
        length: fc.integer({ min: 1, max: 600 }),
      })
      .map(({ offset, length }): Interval => ({
        start: now + offset * minute,
        end: now + (offset + length) * minute,
      })),
    { maxLength: 40 },
  );
  const schedules = fc.record({
    rules: fc.record({
      timeZone: zones,
      slotIntervalMinutes: fc.integer({ min: 5, max: 120 }),
      bufferBeforeMinutes: fc.integer({ min: 0, max: 60 }),
      bufferAfterMinutes: fc.integer({ min: 0, max: 60 }),
      minimumNoticeMinutes: fc.integer({ min: 0, max: 3000 }),
      bookingWindowDays: fc.integer({ min: 0, max: 30 }),
    }),
    hours,
    busy,
  });
  const durations = fc.integer({ min: 15, max: 480 });
  const search = { from: now - day, to: now + 20 * day, now };

  it('no start overlaps a booking, buffers included', () => {
    fc.assert(
      fc.property(schedules, durations, (schedule, durationMinutes) => {
        const { bufferBeforeMinutes, bufferAfterMinutes } = schedule.rules;
        for (const start of bookableStarts(schedule, { ...search, durationMinutes })) {
          const from = start - bufferBeforeMinutes * minute;
          const until = start + (durationMinutes + bufferAfterMinutes) * minute;
          expect(schedule.busy.some((block) => block.start < until && block.end > from)).toBe(
            false,
          );
        }
      }),
    );
  });

  it('every session lies within the working hours, after the notice and within the booking window', () => {
    fc.assert(
      fc.property(schedules, durations, (schedule, durationMinutes) => {
        const { timeZone, minimumNoticeMinutes, bookingWindowDays } = schedule.rules;
        const today = Temporal.Instant.fromEpochMilliseconds(now)
          .toZonedDateTimeISO(timeZone)
          .toPlainDate();
        const open = join(
          windows(schedule.hours, timeZone, today.subtract({ days: 2 }), today.add({ days: 40 })),
        );
        for (const start of bookableStarts(schedule, { ...search, durationMinutes })) {
          const end = start + durationMinutes * minute;
          expect(open.some((window) => window.start <= start && end <= window.end)).toBe(true);
          expect(start).toBeGreaterThanOrEqual(now + minimumNoticeMinutes * minute);
          const date = Temporal.Instant.fromEpochMilliseconds(start)
            .toZonedDateTimeISO(timeZone)
            .toPlainDate();
          expect(today.until(date).days).toBeLessThanOrEqual(bookingWindowDays);
        }
      }),
    );
  });

  it('starts ascend without duplicates, whatever part of the calendar is requested', () => {
    fc.assert(
      fc.property(
        schedules,
        durations,
        fc.integer({ min: 0, max: 20 * 1440 }),
        (schedule, durationMinutes, cut) => {
          const all = bookableStarts(schedule, { ...search, durationMinutes });
          expect(all).toEqual([...new Set(all)].toSorted((a, b) => a - b));
          const middle = now + cut * minute;
          const parts = [
            ...bookableStarts(schedule, { ...search, to: middle, durationMinutes }),
            ...bookableStarts(schedule, { ...search, from: middle, durationMinutes }),
          ];
          expect(parts).toEqual(all);
        },
      ),
    );
  });

  it('a free stretch of the length of a session has a start when starts may lie on every minute', () => {
    fc.assert(
      fc.property(schedules, durations, (schedule, durationMinutes) => {
        const anyMinute = {
          ...schedule,
          rules: {
            ...schedule.rules,
            slotIntervalMinutes: 1,
            bufferBeforeMinutes: 0,
            bufferAfterMinutes: 0,
            minimumNoticeMinutes: 0,
            bookingWindowDays: 30,
          },
        };
        const today = Temporal.Instant.fromEpochMilliseconds(now)
          .toZonedDateTimeISO(schedule.rules.timeZone)
          .toPlainDate();
        const free = subtract(
          windows(schedule.hours, schedule.rules.timeZone, today, today.add({ days: 22 })),
          schedule.busy,
        )
          .map(({ start, end }) => ({ start: Math.max(start, now), end }))
          .filter(({ start, end }) => start < search.to && end - start >= durationMinutes * minute);
        const starts = new Set(bookableStarts(anyMinute, { ...search, durationMinutes }));
        for (const { start } of free) expect(starts.has(start)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });
});

describe('speed', () => {
  it('2000 ranges are searched within 50 ms', () => {
    const busy = Array.from({ length: 2000 }, (_, index) => ({
      start: now + index * 40 * minute,
      end: now + index * 40 * minute + 15 * minute,
    }));
    const schedule = {
      rules: { ...rules, slotIntervalMinutes: 15, bookingWindowDays: 62 },
      hours: everyDay('00:00', '24:00'),
      busy,
    };
    const search = { from: now, to: now + 62 * day, durationMinutes: 15, now };
    const times = Array.from({ length: 15 }, () => {
      const began = performance.now();
      bookableStarts(schedule, search);
      return performance.now() - began;
    }).toSorted((a, b) => a - b);
    expect(times[7]).toBeLessThan(50);
  });
});

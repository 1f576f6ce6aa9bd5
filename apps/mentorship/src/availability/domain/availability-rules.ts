import type { AvailabilityRule, FieldError, WeeklyAvailability } from '@mentorhub/contracts';
import type { WorkingHours } from './working-hours.js';

const weekdays = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;

/** An entry as the client wrote it: where it stands in the request, for messages, and what it says. */
interface Entry {
  readonly field: string;
  readonly hours: WorkingHours;
}

interface Checked {
  readonly hours: WorkingHours[];
  /** One per wrong entry; empty when all is well. */
  readonly errors: FieldError[];
}

/** Reads `{monday: ['10:00-18:00']}`; errors name the entry, `availability.monday[0]`. */
export function readWeeklyAvailability(availability: WeeklyAvailability): Checked {
  const errors: FieldError[] = [];
  const entries = weekdays.flatMap((weekday, dayOfWeek) =>
    (availability[weekday] ?? []).flatMap((range, index): Entry[] => {
      const field = `availability.${weekday}[${index}]`;
      const [start, end, ...rest] = range.split('-').map(minuteOf);
      if (start === undefined || end === undefined || rest.length > 0) {
        errors.push({ field, message: `${field} must be a range such as 10:00-18:00.` });
        return [];
      }
      return [
        {
          field,
          hours: { dayOfWeek, date: null, startMinute: start, endMinute: end, active: true },
        },
      ];
    }),
  );
  errors.push(...misfits(entries));
  return { hours: entries.map(({ hours }) => hours), errors };
}

/** Reads the rules of the Mansa surface; errors name the entry, `rules[2]`. */
export function readRules(rules: readonly AvailabilityRule[]): Checked {
  const errors: FieldError[] = [];
  const entries = rules.flatMap((rule, index): Entry[] => {
    const field = `rules[${index}]`;
    const date = rule.specific_date ?? null;
    const dayOfWeek = rule.day_of_week ?? null;
    const recurring = rule.is_recurring ?? date === null;
    const startMinute = minuteOf(rule.start_time);
    const endMinute = minuteOf(rule.end_time);
    if (recurring && date !== null) {
      errors.push({
        field,
        message: `${field} recurs and has a date: leave out specific_date, or set is_recurring to false.`,
      });
      return [];
    }
    if (recurring ? dayOfWeek === null : date === null) {
      errors.push({
        field,
        message: recurring
          ? `${field} needs day_of_week, 0 (Sunday) to 6.`
          : `${field} needs specific_date, such as 2026-11-25.`,
      });
      return [];
    }
    if (startMinute === undefined || endMinute === undefined) {
      errors.push({ field, message: `${field} needs times such as 09:30.` });
      return [];
    }
    const active = rule.is_active ?? true;
    const when = recurring ? { dayOfWeek, date: null } : { dayOfWeek: null, date };
    return [{ field, hours: { ...when, startMinute, endMinute, active } }];
  });
  errors.push(...misfits(entries));
  return { hours: entries.map(({ hours }) => hours), errors };
}

/** `09:30` for 570; `24:00` for the end of the day. */
export function clockTime(minute: number): string {
  return [Math.floor(minute / 60), minute % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

function minuteOf(text: string): number | undefined {
  const match = /^\s*(\d\d):(\d\d)\s*$/.exec(text);
  if (!match) return undefined;
  const [hour, minute] = [Number(match[1]), Number(match[2])];
  const total = hour * 60 + minute;
  return minute < 60 && total <= 1440 ? total : undefined;
}

/** Entries that end before they start, or that overlap an earlier one of the same day. */
function misfits(entries: readonly Entry[]): FieldError[] {
  const errors: FieldError[] = [];
  const accepted: Entry[] = [];
  for (const { field, hours } of entries) {
    if (hours.endMinute <= hours.startMinute) {
      errors.push({ field, message: `${field} must end after it starts.` });
      continue;
    }
    const overlapped = hours.active && accepted.find((other) => meet(other.hours, hours));
    if (overlapped) {
      errors.push({ field, message: `${field} overlaps ${overlapped.field}: join the two.` });
      continue;
    }
    accepted.push({ field, hours });
  }
  return errors;
}

function meet(a: WorkingHours, b: WorkingHours): boolean {
  return (
    a.active &&
    b.active &&
    a.date === b.date &&
    a.dayOfWeek === b.dayOfWeek &&
    a.startMinute < b.endMinute &&
    b.startMinute < a.endMinute
  );
}

import type { BookingStatus, PaymentStatus } from '@mentorhub/contracts';

const minute = 60_000;
const slotMinutes = 30;

/** A mentor's week: ranges of local time, `09:00-12:00`, by weekday. */
export type DemoWeek = Partial<Record<(typeof weekdays)[number], string[]>>;

const weekdays = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;

/** What became of a demo session. */
export interface DemoOutcome {
  status: BookingStatus;
  /** Of a session that costs something. */
  paymentStatus: Exclude<PaymentStatus, 'not_required'>;
  /** What part of the price went back. */
  refunded: number;
}

export const outcomes = {
  completed: { status: 'completed', paymentStatus: 'paid', refunded: 0 },
  cancelledByMentor: { status: 'cancelled_by_mentor', paymentStatus: 'refunded', refunded: 1 },
  cancelledLate: {
    status: 'cancelled_by_mentee',
    paymentStatus: 'partially_refunded',
    refunded: 0.5,
  },
  missed: { status: 'no_show', paymentStatus: 'paid', refunded: 0 },
  expired: { status: 'expired', paymentStatus: 'unpaid', refunded: 0 },
  upcoming: { status: 'confirmed', paymentStatus: 'paid', refunded: 0 },
  pending: { status: 'pending', paymentStatus: 'paid', refunded: 0 },
  cancelledEarly: { status: 'cancelled_by_mentee', paymentStatus: 'refunded', refunded: 1 },
} as const satisfies Record<string, DemoOutcome>;

interface Span {
  startsAt: Date;
  endsAt: Date;
}

/** Places sessions inside their mentors' hours, so that nobody, mentor or mentee, sits in two at once. */
export class DemoCalendar {
  private readonly taken = new Map<number, Span[]>();

  constructor(private readonly now: Date) {}

  /**
   * A time for two people on the first day that has one, from `days` days after today on; for negative `days`, going
   * back.
   *
   * @param wish which of the day's starts is tried first
   */
  place(
    people: readonly [mentor: number, mentee: number],
    { week, timeZone }: { week: DemoWeek; timeZone: string },
    { days, minutes, wish }: { days: number; minutes: number; wish: number },
  ): Span {
    const today = Temporal.Instant.fromEpochMilliseconds(this.now.getTime())
      .toZonedDateTimeISO(timeZone)
      .toPlainDate();
    const step = Math.sign(days);
    for (let offset = days; Math.abs(offset) < Math.abs(days) + 365; offset += step) {
      const spans = startsOn(today.add({ days: offset }), week, timeZone, minutes);
      const first = spans.length === 0 ? 0 : wish % spans.length;
      const ordered = [...spans.slice(first), ...spans.slice(0, first)];
      const free = ordered.find((span) => people.every((person) => this.isFree(person, span)));
      if (!free) continue;
      for (const person of people) {
        this.taken.set(person, [...(this.taken.get(person) ?? []), free]);
      }
      return free;
    }
    throw new Error('No time is left for a demo session.');
  }

  /** With a pause, so that mentors keep their buffers. */
  private isFree(person: number, { startsAt, endsAt }: Span): boolean {
    const pause = slotMinutes * minute;
    return (this.taken.get(person) ?? []).every(
      (other) =>
        other.endsAt.getTime() + pause <= startsAt.getTime() ||
        endsAt.getTime() + pause <= other.startsAt.getTime(),
    );
  }
}

function startsOn(
  date: Temporal.PlainDate,
  week: DemoWeek,
  timeZone: string,
  minutes: number,
): Span[] {
  const weekday = weekdays[date.dayOfWeek - 1];
  return ((weekday && week[weekday]) ?? []).flatMap((range) => {
    const [from = '', to = ''] = range.split('-');
    const end = instantOf(date, to, timeZone);
    const spans: Span[] = [];
    for (let start = instantOf(date, from, timeZone); ; start += slotMinutes * minute) {
      const stop = start + minutes * minute;
      if (stop > end) return spans;
      spans.push({ startsAt: new Date(start), endsAt: new Date(stop) });
    }
  });
}

function instantOf(date: Temporal.PlainDate, time: string, timeZone: string): number {
  return date.toZonedDateTime({ timeZone, plainTime: time }).epochMilliseconds;
}

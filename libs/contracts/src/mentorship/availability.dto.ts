import {
  CalendarDate,
  ClockTime,
  Flag,
  Id,
  Instant,
  Integer,
  Items,
  QueryInteger,
  Text,
  Texts,
  TimeZone,
} from '../core/fields.js';

export const weekdays = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;
export type Weekday = (typeof weekdays)[number];

/** Weekday → ranges of wall-clock time in the mentor's zone, `HH:MM-HH:MM`. */
export class WeeklyAvailability implements Partial<Record<Weekday, string[]>> {
  @Texts({ maxItems: 12, max: 11, optional: true })
  sunday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true, example: ['10:00-18:00'] })
  monday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  tuesday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true, example: ['14:00-20:00'] })
  wednesday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  thursday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  friday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  saturday?: string[];
}

export class FindSlots {
  @Instant({ optional: true, description: 'Default: now.' })
  from?: string;

  @Instant({
    optional: true,
    description: 'Default: 14 days after `from`; at most 62 days after it.',
  })
  to?: string;

  @QueryInteger({
    min: 15,
    max: 480,
    optional: true,
    description: "Default: the mentor's first duration.",
  })
  duration_minutes?: number;

  @TimeZone({ optional: true, description: "Zone of `local_start`; default: the mentor's." })
  timezone?: string;
}

export class Slot {
  @Instant()
  starts_at: string;

  @Instant()
  ends_at: string;

  @Text({ max: 25, example: '2026-11-25T16:00:00+01:00' })
  local_start: string;
}

export class SlotList {
  @TimeZone()
  timezone: string;

  @Items(() => Slot)
  slots: Slot[];
}

/** One rule of availability, in wall-clock time of the mentor's zone. */
export class AvailabilityRule {
  @Integer({
    min: 0,
    max: 6,
    optional: true,
    nullable: true,
    description: 'Sunday = 0; for recurring rules.',
  })
  day_of_week?: number | null;

  @ClockTime()
  start_time: string;

  @ClockTime({ example: '17:00' })
  end_time: string;

  @Flag({ optional: true, description: 'Default true.' })
  is_recurring?: boolean;

  @CalendarDate({
    optional: true,
    nullable: true,
    description: "Overrides the weekday's rules on that date.",
  })
  specific_date?: string | null;

  @Flag({ optional: true, description: 'Default true; an inactive dated rule blocks the date.' })
  is_active?: boolean;
}

export class ReplaceAvailability {
  @Items(() => AvailabilityRule, { maxItems: 200 })
  rules: AvailabilityRule[];

  @TimeZone({ optional: true, description: "Sets the mentor's zone too." })
  timezone?: string;
}

export class AvailabilityRuleView extends AvailabilityRule {
  @Id()
  id: number;
}

export class AvailabilityView {
  @TimeZone()
  timezone: string;

  @Items(() => AvailabilityRuleView)
  rules: AvailabilityRuleView[];
}

export class MentorAvailability extends AvailabilityView {
  @Items(() => Slot, { description: 'Free slots of the next 30 days.' })
  slots: Slot[];
}

import { describe, expect, it } from 'vitest';
import { clockTime, readRules, readWeeklyAvailability } from './availability-rules.js';

const fields = ({ errors }: { errors: { field: string }[] }): string[] =>
  errors.map(({ field }) => field);

describe('weekly availability', () => {
  it('becomes one entry for each range, Sunday = 0', () => {
    const { hours, errors } = readWeeklyAvailability({
      monday: ['10:00-18:00'],
      sunday: ['09:30-12:00', '20:00-24:00'],
    });
    expect(errors).toEqual([]);
    expect(hours).toEqual([
      { dayOfWeek: 0, date: null, startMinute: 570, endMinute: 720, active: true },
      { dayOfWeek: 0, date: null, startMinute: 1200, endMinute: 1440, active: true },
      { dayOfWeek: 1, date: null, startMinute: 600, endMinute: 1080, active: true },
    ]);
  });

  it('names the range that overlaps an earlier one', () => {
    expect(
      fields(readWeeklyAvailability({ monday: ['10:00-12:00', '11:00-13:00', '13:00-14:00'] })),
    ).toEqual(['availability.monday[1]']);
  });

  it('names the range that ends before it starts', () => {
    expect(fields(readWeeklyAvailability({ friday: ['18:00-10:00'] }))).toEqual([
      'availability.friday[0]',
    ]);
  });

  it.for(['10-18', '10:00', '25:00-26:00', '10:60-11:00', '10:00-24:30', '09:00-10:00-11:00', ''])(
    'refuses “%s”',
    (range) => {
      expect(fields(readWeeklyAvailability({ tuesday: [range] }))).toEqual([
        'availability.tuesday[0]',
      ]);
    },
  );

  it('lets ranges touch', () => {
    expect(fields(readWeeklyAvailability({ monday: ['10:00-12:00', '12:00-13:00'] }))).toEqual([]);
  });
});

describe('availability rules', () => {
  it('are weekly or dated', () => {
    const { hours, errors } = readRules([
      { day_of_week: 3, start_time: '09:00', end_time: '17:00' },
      {
        specific_date: '2026-11-25',
        start_time: '10:00',
        end_time: '11:00',
        is_recurring: false,
        is_active: false,
      },
    ]);
    expect(errors).toEqual([]);
    expect(hours).toEqual([
      { dayOfWeek: 3, date: null, startMinute: 540, endMinute: 1020, active: true },
      { dayOfWeek: null, date: '2026-11-25', startMinute: 600, endMinute: 660, active: false },
    ]);
  });

  it('name each entry that does not fit', () => {
    const nine = { start_time: '09:00', end_time: '17:00' };
    expect(
      fields(
        readRules([
          { day_of_week: 1, ...nine },
          { day_of_week: 2, ...nine },
          { day_of_week: 1, start_time: '16:00', end_time: '18:00' },
          { ...nine },
          { is_recurring: false, day_of_week: 1, ...nine },
          { is_recurring: true, day_of_week: 1, specific_date: '2026-11-25', ...nine },
          { day_of_week: 4, start_time: '17:00', end_time: '17:00' },
        ]),
      ).toSorted(),
    ).toEqual(['rules[2]', 'rules[3]', 'rules[4]', 'rules[5]', 'rules[6]']);
  });

  it('do not overlap with what is switched off', () => {
    const nine = { start_time: '09:00', end_time: '17:00' };
    expect(
      fields(
        readRules([
          { day_of_week: 1, ...nine, is_active: false },
          { day_of_week: 1, ...nine },
        ]),
      ),
    ).toEqual([]);
  });
});

describe('clock times', () => {
  it('read as they were written', () => {
    expect([0, 570, 1440].map(clockTime)).toEqual(['00:00', '09:30', '24:00']);
  });
});

import { describe, expect, it } from 'vitest';
import { requestedTime } from './requested-time.js';

const at = (session_date: string, start_time: string, end_time: string, timezone?: string) =>
  requestedTime({ session_date, start_time, end_time, timezone }, 'Europe/Berlin');

describe('a requested time', () => {
  it('is read in the zone of the mentor', () => {
    expect(at('2026-11-25', '10:00', '11:30')).toEqual({
      start: Date.parse('2026-11-25T09:00:00Z'),
      durationMinutes: 90,
    });
  });

  it('is read in the zone that the mentee names', () => {
    expect(at('2026-11-25', '10:00', '11:00', 'America/New_York').start).toBe(
      Date.parse('2026-11-25T15:00:00Z'),
    );
  });

  it('may end at midnight', () => {
    expect(at('2026-11-25', '23:00', '24:00').durationMinutes).toBe(60);
  });

  it('must end after it starts', () => {
    expect(() => at('2026-11-25', '11:00', '10:00')).toThrow('Some fields are invalid.');
  });

  it('must exist on a day when the clocks go forward', () => {
    expect(() => at('2027-03-28', '02:30', '03:30')).toThrow('Some fields are invalid.');
  });

  it('is the first of the two when the clocks go back', () => {
    expect(at('2026-10-25', '02:30', '02:45').start).toBe(Date.parse('2026-10-25T00:30:00Z'));
  });
});

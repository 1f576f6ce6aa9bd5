import { type BookingStatus, ApplicationError } from '@mentorhub/contracts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BookingAction,
  bookingTransitions,
  can,
  liveStatuses,
  nextStatus,
} from './booking.state-machine.js';

const statuses = Object.keys(bookingTransitions) as BookingStatus[];
const actions: BookingAction[] = [
  'confirm',
  'cancelByMentor',
  'cancelByMentee',
  'expire',
  'complete',
  'markNoShow',
];

describe('a booking', () => {
  it('is confirmed, then completed', () => {
    expect(nextStatus(nextStatus('pending', 'confirm'), 'complete')).toBe('completed');
  });

  it('cannot be confirmed after it was cancelled', () => {
    expect(() => nextStatus('cancelled_by_mentee', 'confirm')).toThrow(
      new ApplicationError(
        'WRONG_STATE',
        'A cancelled_by_mentee booking cannot be confirmed; only a pending one can.',
      ),
    );
  });

  it('cannot be completed before it was confirmed', () => {
    expect(can('pending', 'complete')).toBe(false);
  });

  it('does not expire once its mentor confirmed it', () => {
    expect(can('confirmed', 'expire')).toBe(false);
  });

  it('holds its time exactly while something can still happen to it', () => {
    const open = statuses.filter((status) => actions.some((action) => can(status, action)));
    expect(open).toEqual([...liveStatuses]);
  });

  it('reaches a final status and stays there, whatever is tried', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...actions), { maxLength: 30 }), (tried) => {
        const path = [...tried, 'cancelByMentor' as const].reduce<BookingStatus[]>(
          (passed, action) => {
            const status = passed.at(-1)!;
            return can(status, action) ? [...passed, nextStatus(status, action)] : passed;
          },
          ['pending'],
        );
        expect(new Set(path).size).toBe(path.length);
        expect(actions.some((action) => can(path.at(-1)!, action))).toBe(false);
      }),
    );
  });
});

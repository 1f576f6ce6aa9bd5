import { type BookingStatus, ApplicationError } from '@mentorhub/contracts';

/** What may happen to a booking, by the status it is in. Statuses that lead nowhere are final. */
export const bookingTransitions = {
  pending: {
    confirm: 'confirmed',
    cancelByMentor: 'cancelled_by_mentor',
    cancelByMentee: 'cancelled_by_mentee',
    expire: 'expired',
  },
  confirmed: {
    complete: 'completed',
    cancelByMentor: 'cancelled_by_mentor',
    cancelByMentee: 'cancelled_by_mentee',
    markNoShow: 'no_show',
  },
  completed: {},
  cancelled_by_mentor: {},
  cancelled_by_mentee: {},
  expired: {},
  no_show: {},
} as const satisfies Record<BookingStatus, Partial<Record<string, BookingStatus>>>;

type Transitions = typeof bookingTransitions;
export type BookingAction = keyof Transitions['pending'] | keyof Transitions['confirmed'];

/** Statuses of bookings that take the time of their participants. */
export const liveStatuses = ['pending', 'confirmed'] as const satisfies BookingStatus[];

const verbs: Record<BookingAction, string> = {
  confirm: 'confirmed',
  cancelByMentor: 'cancelled',
  cancelByMentee: 'cancelled',
  expire: 'expired',
  complete: 'completed',
  markNoShow: 'marked as missed',
};

/** Whether the action leads anywhere from this status. */
export function can(status: BookingStatus, action: BookingAction): boolean {
  return action in bookingTransitions[status];
}

/**
 * The status an action leads to.
 *
 * @throws ApplicationError `WRONG_STATE` when it does not apply to the present one
 */
export function nextStatus(status: BookingStatus, action: BookingAction): BookingStatus {
  const targets: Partial<Record<BookingAction, BookingStatus>> = bookingTransitions[status];
  const target = targets[action];
  if (target) return target;
  const from = (Object.keys(bookingTransitions) as BookingStatus[]).filter((one) =>
    can(one, action),
  );
  throw new ApplicationError(
    'WRONG_STATE',
    `A ${status} booking cannot be ${verbs[action]}; only a ${from.join(' or ')} one can.`,
  );
}

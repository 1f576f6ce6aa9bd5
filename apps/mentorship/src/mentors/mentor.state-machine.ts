import { ApplicationError, type MentorStatus } from '@mentorhub/contracts';

/** What may happen to a mentor's application, by the status it is in. */
export const mentorTransitions = {
  pending: { approve: 'approved', reject: 'rejected' },
  approved: {},
  rejected: { apply: 'pending' },
} as const satisfies Record<MentorStatus, Partial<Record<string, MentorStatus>>>;

export type Decision = keyof (typeof mentorTransitions)['pending'];

/**
 * The status a decision leads to.
 *
 * @throws ApplicationError `WRONG_STATE` when the application was decided already
 */
export function decided(status: MentorStatus, decision: Decision): MentorStatus {
  const targets: Partial<Record<string, MentorStatus>> = mentorTransitions[status];
  const target = targets[decision];
  if (target) return target;
  throw new ApplicationError(
    'WRONG_STATE',
    `This application is ${status} already; only a pending one can be decided.`,
  );
}

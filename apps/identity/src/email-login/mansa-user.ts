import type { EmailLoginAnswer, MansaRole, MansaUser, SignedIn } from '@mentorhub/contracts';
import type { User } from '../users/user.entity.js';

/** A user as the Mansa surface shows one; it has the flags of the other surface, by other names. */
export function toMansaUser(user: User): MansaUser {
  const isMentee = user.requestedRole === 'student';
  const [first = '', ...rest] = user.fullName.split(' ');
  return {
    id: user.id,
    email: user.email,
    first_name: first,
    last_name: rest.join(' '),
    user_name: user.username,
    role: mansaRole(user, isMentee),
    is_mentor: user.isMentor,
    is_mentee: isMentee,
    approval_status: user.isMentor ? 'approved' : isMentee ? 'not_required' : 'pending',
  };
}

function mansaRole(
  { isAdmin, isMentor }: Pick<User, 'isAdmin' | 'isMentor'>,
  isMentee: boolean,
): MansaRole {
  if (isAdmin) return 'admin';
  if (isMentor) return isMentee ? 'mentor_mentee' : 'mentor';
  return isMentee ? 'mentee' : 'user';
}

/** Mentors alone have a page of their own; everybody else starts where mentors are found. */
export function redirectOf({ is_mentor, is_mentee }: MansaUser): string {
  return is_mentor && !is_mentee ? '/community/mentorship/mentor' : '/community/mentorship';
}

/** The tokens of a session, as the Mansa surface names them. */
export function toEmailLoginAnswer(tokens: SignedIn, user: User): EmailLoginAnswer {
  const shown = toMansaUser(user);
  return {
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    user: shown,
    redirect_to: redirectOf(shown),
  };
}

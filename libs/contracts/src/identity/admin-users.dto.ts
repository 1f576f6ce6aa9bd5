import { Choice, Email, Flag, Id, Instant, QueryFlag, Text } from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import type { UserRole } from './identity.dto.js';

const roles = ['student', 'mentor', 'admin'] as const satisfies readonly UserRole[];

/** Searches for users. */
export class ListUsers extends PageQuery {
  @Text({
    min: 2,
    max: 100,
    optional: true,
    description: 'The beginning of the address or the username, or of words of the name.',
    example: 'ada',
  })
  q?: string;

  @Choice(roles, {
    optional: true,
    description: '`mentor`: with an approved mentor profile; `student`: neither mentor nor admin.',
  })
  role?: UserRole;

  @QueryFlag({ optional: true })
  is_active?: boolean;

  @QueryFlag({ optional: true })
  is_premium?: boolean;
}

/** A user as administrators see it. */
export class AdminUser {
  @Id({ example: 7 })
  id: number;

  @Email()
  email: string;

  @Text({ max: 32, example: 'ada' })
  username: string;

  @Text({ max: 120, example: 'Ada Lovelace' })
  full_name: string;

  @Choice(roles, { example: 'student' })
  role: UserRole;

  @Flag({ description: 'Has an approved mentor profile.' })
  is_mentor: boolean;

  @Flag({ description: 'May sign in.' })
  is_active: boolean;

  @Flag()
  is_premium: boolean;

  @Flag()
  email_verified: boolean;

  @Instant()
  created_at: string;
}

export class AdminUserPage extends PageOf(AdminUser) {}

/** Changes to an account by an administrator; what is left out stays. */
export class UpdateUser {
  @Flag({ optional: true, description: 'One who is not can neither sign in nor refresh tokens.' })
  is_active?: boolean;

  @Choice(roles, {
    optional: true,
    description:
      '`admin` makes an administrator; what the user is otherwise, `student` or `mentor`, ends that. Mentor rights come with an approved mentor profile alone.',
  })
  role?: UserRole;

  @Flag({ optional: true, description: 'Counts from the next refresh of the tokens on.' })
  is_premium?: boolean;
}

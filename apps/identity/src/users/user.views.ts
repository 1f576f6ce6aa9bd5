import type {
  Contact,
  UserSummary,
  ProfileView,
  Role,
  UserCard,
  UserRole,
  UserView,
} from '@mentorhub/contracts';
import type { User } from './user.entity.js';

/** The roles that go into a user's access token. */
export function rolesOf(user: Pick<User, 'isAdmin' | 'isMentor'>): Role[] {
  const roles: Role[] = ['student'];
  if (user.isMentor) roles.push('mentor');
  if (user.isAdmin) roles.push('admin');
  return roles;
}

/** What others see a user as; only approved mentors appear as mentors. */
export function roleOf(user: Pick<User, 'isAdmin' | 'isMentor'>): UserRole {
  if (user.isAdmin) return 'admin';
  return user.isMentor ? 'mentor' : 'student';
}

/** A user as that user sees it; `role` shows the requested role of those who are not mentors yet. */
export function toUserView(user: User): UserView {
  return userFields(user);
}

export function toProfileView(user: User): ProfileView {
  return {
    ...userFields(user),
    bio: user.bio,
    phone: user.phone,
    avatar_url: user.avatarUrl,
    timezone: user.timezone,
    locale: user.locale,
    is_mentor: user.isMentor,
    is_mentee: user.requestedRole === 'student',
    is_premium: user.isPremium,
  };
}

function userFields(user: User) {
  return {
    id: user.id,
    email: user.email,
    username: user.username,
    full_name: user.fullName,
    role: user.isAdmin
      ? ('admin' as const)
      : user.isMentor
        ? ('mentor' as const)
        : user.requestedRole,
    email_verified: user.emailVerifiedAt !== null,
    created_at: user.createdAt.toISOString(),
  };
}

export function toUserCard(user: User): UserCard {
  return {
    id: user.id,
    username: user.username,
    full_name: user.fullName,
    avatar_url: user.avatarUrl,
    bio: user.bio,
    role: roleOf(user),
  };
}

export function toUserSummary(user: User): UserSummary {
  if (user.erasedAt) {
    return {
      user_id: user.id,
      username: '',
      full_name: '',
      avatar_url: null,
      email_verified: false,
      erased: true,
    };
  }
  return {
    user_id: user.id,
    username: user.username,
    full_name: user.fullName,
    avatar_url: user.avatarUrl,
    email_verified: user.emailVerifiedAt !== null,
  };
}

export function toContact(user: User): Contact {
  return {
    user_id: user.id,
    email: user.email,
    full_name: user.fullName,
    locale: user.locale,
    timezone: user.timezone,
    email_verified: user.emailVerifiedAt !== null,
  };
}

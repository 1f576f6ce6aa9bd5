import {
  Choice,
  Email,
  Flag,
  GivenPassword,
  Id,
  Instant,
  Integer,
  Nested,
  Password,
  Pattern,
  Text,
  TimeZone,
  WebAddress,
} from '../core/fields.js';
import { PageOf } from '../core/page.dto.js';
import { locales, type Locale } from '../core/caller.js';
import { PersonName } from './person-name.js';

const rolesAtRegistration = ['student', 'mentor'] as const;
export type RoleAtRegistration = (typeof rolesAtRegistration)[number];
const roles = ['student', 'mentor', 'admin'] as const;
export type UserRole = (typeof roles)[number];

/** What identifies the device that signs in; filled in by the gateway. */
export interface Device {
  user_agent: string;
  ip: string;
}

export class RegisterUser {
  @Email()
  email: string;

  @Password()
  password: string;

  @PersonName({ example: 'Ada Lovelace' })
  full_name: string;

  @Choice(rolesAtRegistration, {
    description: 'A wish: mentor rights come with an approved mentor profile.',
    example: 'student',
  })
  role: RoleAtRegistration;

  @Pattern(/^[a-z0-9][a-z0-9._-]{2,31}$/, '3 to 32 of a-z, 0-9, dot, dash and underscore', {
    optional: true,
    example: 'ada',
    description: 'Public handle; made from the name when left out.',
  })
  username?: string;

  @TimeZone({ optional: true, description: 'Default UTC.' })
  timezone?: string;

  @Choice(locales, {
    optional: true,
    description: 'Default: the best of Accept-Language, else en.',
  })
  locale?: Locale;
}

/** A user as that user sees it. */
export class UserView {
  @Id({ example: 1 })
  id: number;

  @Email()
  email: string;

  @Text({ max: 32, example: 'ada' })
  username: string;

  @Text({ max: 120, example: 'Ada Lovelace' })
  full_name: string;

  @Choice(roles, { example: 'student' })
  role: UserRole;

  @Flag()
  email_verified: boolean;

  @Instant()
  created_at: string;
}

/** The whole of a user's own profile. */
export class ProfileView extends UserView {
  @Text({ max: 2000, nullable: true })
  bio: string | null;

  @Text({ max: 32, nullable: true, example: '+4915112345678' })
  phone: string | null;

  @WebAddress({ nullable: true })
  avatar_url: string | null;

  @TimeZone()
  timezone: string;

  @Choice(locales, { example: 'en' })
  locale: Locale;

  @Flag({ description: 'Has an approved mentor profile.' })
  is_mentor: boolean;

  @Flag()
  is_mentee: boolean;

  @Flag()
  is_premium: boolean;
}

/** Changes to one's own profile; what is left out stays. */
export class UpdateProfile {
  @PersonName({ optional: true, example: 'Ada Lovelace' })
  full_name?: string;

  @Pattern(/^[a-z0-9][a-z0-9._-]{2,31}$/, '3 to 32 of a-z, 0-9, dot, dash and underscore', {
    optional: true,
    example: 'ada',
  })
  username?: string;

  @Text({ min: 0, max: 2000, optional: true })
  bio?: string;

  @Pattern(/^\+[1-9]\d{6,14}$/, 'a phone number such as +4915112345678', { optional: true })
  phone?: string;

  @TimeZone({ optional: true })
  timezone?: string;

  @Choice(locales, { optional: true })
  locale?: Locale;
}

/** What anyone signed in may see of a user. */
export class UserCard {
  @Id({ example: 7 })
  id: number;

  @Text({ max: 32 })
  username: string;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;

  @Text({ max: 2000, nullable: true })
  bio: string | null;

  @Choice(roles)
  role: UserRole;
}

export class Login {
  @Email()
  email: string;

  @GivenPassword()
  password: string;
}

export class RefreshTokens {
  @Text({ max: 512, optional: true, description: 'Or as the bearer token.' })
  refresh_token?: string;
}

export class TokenPair {
  @Text({ max: 4096, description: 'JWT, sent as `Authorization: Bearer …`.' })
  access_token: string;

  @Text({
    max: 512,
    description: 'Works once; reused after more than ten seconds, it ends its session.',
  })
  refresh_token: string;

  @Choice(['bearer'])
  token_type: 'bearer';

  @Integer({ example: 1800, description: 'Seconds until the access token expires.' })
  expires_in: number;
}

export class SignedIn extends TokenPair {
  @Nested(() => UserView)
  user: UserView;
}

/** Kinds of devices that user agents reveal. */
const deviceKinds = ['desktop', 'mobile', 'tablet', 'tv', 'bot'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** A signed-in device. */
export class SessionDevice {
  @Id()
  id: number;

  @Text({ max: 512, min: 0, description: 'As the device sent it; anybody can send any.' })
  user_agent: string;

  @Text({ max: 64, nullable: true, example: 'Firefox 140', description: 'Read from `user_agent`.' })
  browser: string | null;

  @Text({ max: 64, nullable: true, example: 'Windows', description: 'Read from `user_agent`.' })
  os: string | null;

  @Choice(deviceKinds, { nullable: true, description: 'Read from `user_agent`.' })
  device: DeviceKind | null;

  @Text({ max: 45 })
  ip: string;

  @Instant()
  created_at: string;

  @Instant()
  last_used_at: string;

  @Flag({ description: 'The device that asks.' })
  current: boolean;
}

export class SessionDevicePage extends PageOf(SessionDevice) {}

export class SendVerification {
  @Email()
  email: string;
}

export class VerificationSent {
  @Text({ max: 200 })
  message: string;

  @Integer({ example: 24 })
  expires_in_hours: number;
}

export class VerifyEmail {
  @Text({ max: 512, description: 'From the link in the mail; works once.' })
  token: string;

  @GivenPassword({
    optional: true,
    description: "The account's password; not needed with an access token of the account.",
  })
  password?: string;
}

export class EmailVerified {
  @Text({ max: 200 })
  message: string;

  @Email()
  email: string;
}

/** A single-use entry to the WebSocket. */
export class SocketTicket {
  @Text({ max: 128 })
  ticket: string;

  @Integer({ example: 30, description: 'Seconds.' })
  expires_in: number;
}

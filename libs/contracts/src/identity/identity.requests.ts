import type { Caller, Locale } from '../core/caller.js';
import type { ById } from '../core/page.dto.js';
import type { PageRequest } from '../core/paging.js';
import { idField, idsField, textField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { Reauthenticate } from './second-factor.dto.js';
import type {
  Device,
  EmailVerified,
  Login,
  ProfileView,
  RegisterUser,
  SendVerification,
  SessionDevicePage,
  SignedIn,
  SocketTicket,
  TokenPair,
  UpdateProfile,
  UserCard,
  UserView,
  VerificationSent,
  VerifyEmail,
} from './identity.dto.js';

/** A public signing key, RFC 7517. */
export interface PublicKey {
  kid: string;
  kty: 'RSA';
  alg: 'RS256';
  use: 'sig';
  n: string;
  e: string;
}

/** Sessions whose access tokens may still be unexpired but must no longer work. */
export interface RevokedSession {
  session_id: number;
  /** When the last access token of the session expires, Unix seconds; after that the entry may be forgotten. */
  forget_at: number;
}

/** How to reach and address a user; for mails. */
export interface Contact {
  user_id: number;
  email: string;
  full_name: string;
  locale: Locale;
  timezone: string;
  email_verified: boolean;
}

/** A person's public face, for other services' read models. */
export interface UserSummary {
  user_id: number;
  username: string;
  full_name: string;
  avatar_url: string | null;
  /** Whether the user proved to read the mail of the account's address. */
  email_verified: boolean;
  /** The user erased the account: there is no name any more, and there never will be one again. */
  erased?: boolean;
}

export const Users = {
  register: request.public<RegisterUser & { device: Device }, UserView>('identity.users.register'),
  me: request.user<Record<string, never>, ProfileView>('identity.users.me'),
  updateMe: request.user<UpdateProfile, ProfileView>('identity.users.update_me'),
  card: request.user<ById, UserCard>('identity.users.card'),
  /** Unknown ids are left out of the answer. At most 200 ids. */
  people: request.service<{ ids: number[] }, { people: UserSummary[] }>('identity.users.people', {
    fields: { ids: idsField(200) },
  }),
  contact: request.service<{ user_id: number }, Contact>('identity.users.contact', {
    fields: { user_id: idField },
  }),
};

export const Auth = {
  login: request.public<Login & { device: Device }, SignedIn>('identity.auth.login'),
  refresh: request.public<{ refresh_token: string; device: Device }, TokenPair>(
    'identity.auth.refresh',
  ),
  logout: request.user<{ device: Device }, void>('identity.auth.logout'),
  logoutAll: request.user<{ device: Device }, void>('identity.auth.logout_all'),
  reauthenticate: request.user<Reauthenticate & { device: Device }, void>(
    'identity.auth.reauthenticate',
  ),
};

export const Sessions = {
  list: request.user<PageRequest, SessionDevicePage>('identity.sessions.list'),
  revoke: request.user<ById & { device: Device }, void>('identity.sessions.revoke'),
  revokeOthers: request.user<{ device: Device }, void>('identity.sessions.revoke_others'),
  /** What a gateway must know when it starts or reconnects. */
  revoked: request.service<Record<string, never>, { sessions: RevokedSession[] }>(
    'identity.sessions.revoked',
  ),
};

export const EmailVerification = {
  send: request.public<SendVerification & { device: Device }, VerificationSent>(
    'identity.email_verification.send',
  ),
  verify: request.public<VerifyEmail & { device: Device }, EmailVerified>(
    'identity.email_verification.verify',
  ),
};

export const Keys = {
  list: request.public<Record<string, never>, { keys: PublicKey[] }>('identity.keys.list'),
};

/** Who a socket ticket was issued to. */
export interface TicketOwner {
  caller: Caller;
  /** When the session ends for good, Unix seconds. */
  session_expires_at: number;
}

export const SocketTickets = {
  issue: request.user<Record<string, never>, SocketTicket>('identity.socket_tickets.issue'),
  redeem: request.service<{ ticket: string }, TicketOwner>('identity.socket_tickets.redeem', {
    fields: { ticket: textField(200) },
  }),
};

import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type {
  CodeRequested,
  EmailLoginAnswer,
  RequestEmailLogin,
  VerifyEmailLogin,
} from './email-login.dto.js';
import type { Device } from './identity.dto.js';
import type { VerifySecondFactor } from './second-factor.dto.js';

/** Somebody of the members directory has signed in, for the first time or the first time by another membership. */
export interface MemberJoined {
  user_id: number;
  is_mentor: boolean;
  is_mentee: boolean;
  timezone: string;
}

export const userMemberJoined = event<MemberJoined>('identity.user.member_joined');

/** The browser that asks: a secret of its own, from the cookie that the gateway sets. */
interface OfBrowser {
  browser_token: string | null;
  device: Device;
}

export const EmailLogin = {
  /** The tokens at once where the operator trusts addresses; otherwise a code goes by mail. */
  request: request.public<
    RequestEmailLogin & OfBrowser & { browser_token: string },
    CodeRequested | EmailLoginAnswer
  >('identity.email_login.request'),
  verify: request.public<VerifyEmailLogin & OfBrowser, EmailLoginAnswer>(
    'identity.email_login.verify',
  ),
  /** `SecondFactors.verify` with the answer of this surface. */
  verifySecondFactor: request.public<VerifySecondFactor & { device: Device }, EmailLoginAnswer>(
    'identity.email_login.verify_second_factor',
  ),
  /** A code for `Auth.reauthenticate`, for accounts that have nothing else to prove themselves by. */
  requestReauthentication: request.user<{ device: Device }, CodeRequested>(
    'identity.email_login.request_reauthentication',
  ),
};

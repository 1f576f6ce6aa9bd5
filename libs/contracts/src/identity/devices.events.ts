import { event } from '../core/event.js';

/** A device, as its user would recognise it. */
export interface DeviceFact {
  user_id: number;
  session_id: number;
  /** `Firefox 140`; null when the user agent says nothing known. */
  browser: string | null;
  /** `Windows`; null likewise. */
  os: string | null;
  /** The part of the address that its neighbours share: `203.0.113.0/24`. */
  network: string;
}

/** Somebody signed in from a device and network that the account had not been used from before. */
export const userSignedInFromNewDevice = event<DeviceFact>(
  'identity.user.signed_in_from_new_device',
);

/** A refresh token was used again, so that it was stolen from one side or the other; its session has been ended. */
export const userRefreshTokenReused = event<DeviceFact>('identity.user.refresh_token_reused');

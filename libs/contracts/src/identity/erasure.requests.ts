import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type { Device } from './identity.dto.js';

export const Erasure = {
  /** Erases the caller's account, for good. */
  erase: request.user<{ device: Device }, void>('identity.erasure.erase'),
};

/** The user is anonymous in identity from now on; every service forgets who it was. */
export const userErased = event<{ user_id: number }>('identity.user.erased');

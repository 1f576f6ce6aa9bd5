import { idField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { UploadedAvatar } from './avatars.dto.js';
import type { Device } from './identity.dto.js';

/** Most bytes of a picture as it is stored and served. As base64 it fits into a NATS message several times. */
export const maxAvatarBytes = 100_000;

/** Edge of a stored picture in pixels; it is square. */
export const avatarPixels = 512;

/** What the address of a stored picture ends with, before `.webp`: 128 random bits as base64url. */
export const avatarKey = /^[\w-]{22}$/;

export const Avatars = {
  /** Counts an upload of a user, before a gateway reads any of it. */
  admit: request.service<{ user_id: number }, void>('identity.avatars.admit', {
    fields: { user_id: idField },
  }),
  /** The picture is WebP as base64, made anew from the upload by the gateway. */
  replace: request.user<{ image: string; device: Device }, UploadedAvatar>(
    'identity.avatars.replace',
  ),
  remove: request.user<{ device: Device }, void>('identity.avatars.remove'),
  /** A picture that is some user's at present, WebP as base64. */
  read: request.public<{ key: string }, { image: string }>('identity.avatars.read'),
};

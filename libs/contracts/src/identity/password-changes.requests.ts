import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type { Device } from './identity.dto.js';
import type {
  ChangePassword,
  ForgotPassword,
  PasswordReset,
  ResetPassword,
  ResetSent,
} from './password-changes.dto.js';

export const PasswordChanges = {
  forgot: request.public<ForgotPassword & { device: Device }, ResetSent>(
    'identity.password_changes.forgot',
  ),
  reset: request.public<ResetPassword & { device: Device }, PasswordReset>(
    'identity.password_changes.reset',
  ),
  change: request.user<ChangePassword & { device: Device }, void>(
    'identity.password_changes.change',
  ),
};

/** The account has another password, by a change or a reset. */
export const userPasswordChanged = event<{ user_id: number }>('identity.user.password_changed');

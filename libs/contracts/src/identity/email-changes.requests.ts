import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type {
  ChangeEmail,
  ConfirmEmailChange,
  EmailChanged,
  EmailChangeRequested,
  UndoEmailChange,
} from './email-changes.dto.js';
import type { Device } from './identity.dto.js';

export const EmailChanges = {
  request: request.user<ChangeEmail & { device: Device }, EmailChangeRequested>(
    'identity.email_changes.request',
  ),
  confirm: request.public<ConfirmEmailChange & { device: Device }, EmailChanged>(
    'identity.email_changes.confirm',
  ),
  undo: request.public<UndoEmailChange & { device: Device }, EmailChanged>(
    'identity.email_changes.undo',
  ),
};

/** The account has another address, by a change or by the undoing of one. */
export const userEmailChanged = event<{ user_id: number }>('identity.user.email_changed');

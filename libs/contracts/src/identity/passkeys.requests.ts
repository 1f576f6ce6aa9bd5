import type { ById } from '../core/page.dto.js';
import { request } from '../core/request.js';
import type { Device, SignedIn } from './identity.dto.js';
import type {
  AddPasskey,
  PasskeyAdded,
  PasskeyCreationOptions,
  PasskeyList,
  PasskeyRequestOptions,
  PasskeySignIn,
  PasskeyView,
  RenamePasskey,
} from './passkeys.dto.js';

export const Passkeys = {
  registrationOptions: request.user<Record<string, never>, PasskeyCreationOptions>(
    'identity.passkeys.registration_options',
  ),
  add: request.user<AddPasskey & { device: Device }, PasskeyAdded>('identity.passkeys.add'),
  list: request.user<Record<string, never>, PasskeyList>('identity.passkeys.list'),
  rename: request.user<RenamePasskey & ById & { device: Device }, PasskeyView>(
    'identity.passkeys.rename',
  ),
  remove: request.user<ById & { device: Device }, void>('identity.passkeys.remove'),
  signInOptions: request.public<{ device: Device }, PasskeyRequestOptions>(
    'identity.passkeys.sign_in_options',
  ),
  /** The verification of the user by the authenticator makes a passkey two factors at once. */
  signIn: request.public<PasskeySignIn & { device: Device }, SignedIn>('identity.passkeys.sign_in'),
  /** For `Auth.reauthenticate` and for new recovery codes. */
  confirmationOptions: request.user<Record<string, never>, PasskeyRequestOptions>(
    'identity.passkeys.confirmation_options',
  ),
};

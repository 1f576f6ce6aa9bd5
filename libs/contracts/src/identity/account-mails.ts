import { idField, optionalField, textField } from '../core/field-checks.js';
import { event } from '../core/event.js';
import { request } from '../core/request.js';
import type { Contact } from './identity.requests.js';

/** Mails about the account itself, which may carry a secret. */
export const accountMails = [
  'verify_email',
  'reset_password',
  'confirm_email_change',
  'undo_email_change',
  'sign_in_code',
  'reauthentication_code',
] as const;
export type AccountMail = (typeof accountMails)[number];

/** Which mail is meant; the same in the event and in the request. */
export interface AccountMailRequest {
  /** 0 for one who has no account yet. */
  user_id: number;
  mail: AccountMail;
  /** What the mail is about, where its kind needs more than the user; otherwise null. */
  ref: number | null;
}

/** Whom the mail goes to, and what only the mail may say. */
export interface MintedMail extends Omit<Contact, 'full_name'> {
  /** Left out where the name may be that of anybody, as while the address is not verified. */
  full_name?: string;
  /** Goes into the link. */
  token?: string;
  /** For readers to type in. */
  code?: string;
}

/** A mail is due; the mailer asks identity for its address and its secret when it sends. */
export const userMailRequested = event<AccountMailRequest>('identity.user.mail_requested');

export const AccountMails = {
  /**
   * Makes the secret of a mail when that is about to be sent, so that no event and no queue carries it. `NOT_FOUND` when
   * there is nothing to send any more.
   */
  mint: request.service<AccountMailRequest, MintedMail>('identity.account_mails.mint', {
    fields: {
      user_id: (value) => (value === 0 ? undefined : idField(value)),
      mail: textField(64),
      ref: optionalField((value) => (value === null ? undefined : idField(value))),
    },
  }),
};

import type { AccountMail, MintedMail, NotificationType } from '@mentorhub/contracts';
import type { NotificationParams } from '../notifications/notification-params.js';
import type { Formats } from './formats.js';

export interface NotificationText {
  /** At most 200 characters. */
  title: string;
  /** At most 1000 characters. */
  body: string;
}

/** The body of a mail, before it becomes text and HTML. */
export interface Letter {
  subject: string;
  paragraphs: string[];
  /** What the button says. */
  action: string;
}

/** Everything the service says in one language. A missing entry does not compile. */
export interface Catalogue {
  notifications: {
    readonly [Type in NotificationType]: (
      params: NotificationParams[Type],
      formats: Formats,
    ) => NotificationText;
  };
  mails: {
    /** Mails about the account itself; what identity made for them is at hand. */
    account: {
      readonly [Mail in AccountMail]: (formats: Formats, minted: MintedMail) => Letter;
    };
    greeting: (name: string | undefined) => string;
    /** The button of a notification's mail. */
    open: string;
    /** Shown before an address to copy, for readers whose button does not work. */
    orCopy: string;
    signature: string;
    whyReceived: string;
    /** In place of that in mails to an address that is not verified: its reader may have no account. */
    whyNamed: string;
  };
}

export interface OutgoingMail {
  /** Stays the same over retries of a mail. */
  id: string;
  /** Without a name where the address is not verified. */
  to: { name?: string; address: string };
  subject: string;
  text: string;
  html: string;
}

/** Takes mails to their readers. */
export abstract class MailTransport {
  /**
   * Resolves once the mail is accepted. Gives up after some seconds.
   * @throws MailRefused when another attempt cannot succeed; any other error when it may
   */
  abstract send(mail: OutgoingMail): Promise<void>;
}

/** The provider refuses this mail for good. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused';

  constructor(
    /** Why, as the provider's status: never an address. */
    readonly code: string,
  ) {
    super(`The mail was refused: ${code}`);
  }
}

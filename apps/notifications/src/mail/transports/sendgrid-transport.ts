import client from '@sendgrid/client';
import service from '@sendgrid/mail';
import { MailRefused, MailTransport, type OutgoingMail } from './mail-transport.js';

export interface SendgridSettings {
  apiKey: string;
  /** `MentorHub <no-reply@mentorhub.example>`. */
  from: string;
  /** `https://api.sendgrid.com`, or the European `https://api.eu.sendgrid.com`. */
  apiUrl: string;
  /** Default 10 000. */
  timeoutMs?: number;
}

/** Sends by SendGrid's API. The client library has one account per process. */
export class SendgridTransport extends MailTransport {
  private readonly from: string;

  constructor({ apiKey, from, apiUrl, timeoutMs = 10_000 }: SendgridSettings) {
    super();
    this.from = from;
    client.setDefaultHeader('Authorization', `Bearer ${apiKey}`);
    client.setDefaultRequest('baseUrl', apiUrl);
    service.setClient(client);
    service.setTimeout(timeoutMs);
  }

  override async send({ id, to, subject, text, html }: OutgoingMail): Promise<void> {
    try {
      await service.send({
        from: this.from,
        to: { name: to.name, email: to.address },
        subject,
        text,
        html,
        customArgs: { mail_id: id },
        // SendGrid would rewrite the links and learn the tokens in them.
        trackingSettings: { clickTracking: { enable: false }, openTracking: { enable: false } },
      });
    } catch (error) {
      throw sanitised(error);
    }
  }
}

/** Keeps the status of a failure alone: the whole one holds the request, with the key and the address. */
function sanitised(error: unknown): Error {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  // Too large, or an address that SendGrid does not accept. A wrong key (401, 403) can be put right, so it waits.
  if (code === 400 || code === 413) return new MailRefused(`SendGrid ${code}`);
  const known = typeof code === 'number' || typeof code === 'string' ? code : 'failed';
  return Object.assign(new Error('SendGrid did not take the mail.'), { code: `SendGrid ${known}` });
}

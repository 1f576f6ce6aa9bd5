import type { AccountMail, Locale, MintedMail, NotificationType } from '@mentorhub/contracts';
import type { Letter } from '../catalogue/catalogue-entries.js';
import { catalogues, notificationText } from '../catalogue/catalogue.js';
import { Formats } from '../catalogue/formats.js';
import type { NotificationParams } from '../notifications/notification-params.js';

/** What each template is made of. A mail of a notification's type says what the notification says. */
export type MailParams = NotificationParams & Record<AccountMail, { ref: number | null }>;
export type MailTemplate = keyof MailParams;

/** Who reads it, as identity says when it is sent. */
export interface Addressee {
  /** Undefined in mails to an address that is not verified: its registrant may have written anything there. */
  full_name?: string;
  locale: Locale;
  timezone: string;
}

export interface MailContent {
  subject: string;
  text: string;
  html: string;
}

/** The mail of a notification; its button opens the app at `url`. */
export function notificationMail<T extends NotificationType>(
  type: T,
  params: NotificationParams[T],
  addressee: Addressee,
  url: string,
): MailContent {
  const { title, body } = notificationText(type, params, addressee);
  const action = catalogues[addressee.locale].mails.open;
  return layOut({ subject: title, paragraphs: [body], action }, addressee, url);
}

/** Where in the app the button of each account mail leads. */
const accountMailPaths: Record<AccountMail, string> = {
  verify_email: '/verify-email',
  reset_password: '/reset-password',
  confirm_email_change: '/confirm-email-change',
  undo_email_change: '/undo-email-change',
  sign_in_code: '/community/mentorship/auth',
  reauthentication_code: '/',
};

/** A mail about the account itself, with what identity made for it. */
export function accountMail(mail: AccountMail, minted: MintedMail, appUrl: string): MailContent {
  const { locale, timezone, token } = minted;
  const letter = catalogues[locale].mails.account[mail](new Formats(locale, timezone), minted);
  // In the fragment, which browsers keep to themselves: no server or proxy logs the token.
  const fragment = token === undefined ? '' : `#token=${encodeURIComponent(token)}`;
  const { whyReceived, whyNamed } = catalogues[locale].mails;
  const why = minted.email_verified ? whyReceived : whyNamed;
  return layOut(letter, minted, `${appUrl}${accountMailPaths[mail]}${fragment}`, why);
}

function layOut(
  { subject, paragraphs, action }: Letter,
  { full_name, locale }: Addressee,
  url: string,
  why = catalogues[locale].mails.whyReceived,
): MailContent {
  const { greeting, orCopy, signature } = catalogues[locale].mails;
  const hello = greeting(full_name);
  const text = [hello, ...paragraphs, `${action}: ${url}`, signature, `-- \n${why}`];
  const page = html`<!doctype html>
    <html lang="${locale}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${subject}</title>
      </head>
      <body
        style="margin:0;padding:24px;background:#f4f5f7;font:16px/1.5 system-ui,sans-serif;color:#1c2333"
      >
        <main style="max-width:560px;margin:0 auto;padding:32px;background:#fff;border-radius:12px">
          <p>${hello}</p>
          ${paragraphs.map((paragraph) => html`<p>${paragraph}</p> `)}
          <p style="margin:24px 0">
            <a
              href="${url}"
              style="display:inline-block;padding:12px 20px;border-radius:8px;background:#3451d1;color:#fff;text-decoration:none"
              >${action}</a
            >
          </p>
          <p style="font-size:13px;color:#5c6478">${orCopy}<br />${url}</p>
          <p>${signature}</p>
        </main>
        <p style="max-width:560px;margin:16px auto;font-size:12px;color:#5c6478">${why}</p>
      </body>
    </html> `;
  return { subject: oneLine(subject), text: `${text.join('\n\n')}\n`, html: page.markup };
}

/** A subject has no line breaks: they would begin another header. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** Markup that is safe to put into a page. */
class Html {
  constructor(readonly markup: string) {}
}

/** Markup from a template; texts that are put in are escaped, for content and for quoted attributes. */
function html(strings: TemplateStringsArray, ...values: (string | Html | Html[])[]): Html {
  const parts = values.map((value) =>
    typeof value === 'string'
      ? escape(value)
      : [value]
          .flat()
          .map(({ markup }) => markup)
          .join(''),
  );
  return new Html(String.raw({ raw: strings }, ...parts));
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

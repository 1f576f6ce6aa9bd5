import type { CapturedMail } from '@mentorhub/contracts';
import { type Html, html } from '../pages/html.js';
import { page } from '../pages/page.js';

/** The captured mails; addresses in their text can be followed. */
export function devMailPage({ items }: { items: CapturedMail[] }): string {
  const empty = html`<p>No mails yet.</p>`;
  return page('en', 'Captured mails', items.length === 0 ? empty : html`${items.map(mail)}`);
}

function mail({ to, subject, text, sent_at }: CapturedMail): Html {
  return html`<article>
    <h2>${subject}</h2>
    <p><a href="/dev/mail?to=${encodeURIComponent(to)}">${to}</a> · <time>${sent_at}</time></p>
    <pre>${linked(text)}</pre>
  </article>`;
}

function linked(text: string): Html[] {
  return text
    .split(/(https?:\/\/[^\s<>"]+)/)
    .map((part, index) =>
      index % 2 === 1 ? html`<a href="${part}" rel="noopener">${part}</a>` : html`${part}`,
    );
}

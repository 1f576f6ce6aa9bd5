import { type CheckoutView, decimalsOf, type Locale, toMajor } from '@mentorhub/contracts';
import { type Html, html } from '../pages/html.js';
import { page } from '../pages/page.js';
import { checkoutCatalogue } from './checkout.catalogue.js';

/** The checkout page: what is due, and two buttons while it can be paid. Works without scripts. */
export function checkoutPage(view: CheckoutView, locale: Locale): string {
  const texts = checkoutCatalogue[locale];
  const pending = view.status === 'pending';
  return page(
    locale,
    texts.title,
    html`<p>${texts.sandbox}</p>
      <dl>
        <dt>${texts.what}</dt>
        <dd>${view.description}</dd>
        <dt>${texts.amount}</dt>
        <dd>${money(view, locale)}</dd>
        ${
          pending
            ? html`<dt>${texts.until}</dt>
                <dd>${instant(view.expires_at, locale)}</dd>`
            : ''
        }
      </dl>
      ${
        view.status === 'pending'
          ? html`${button('succeed', texts.pay, 'main')}${button('fail', texts.decline, 'other')}`
          : html`<p role="status"><strong>${texts.states[view.status]}</strong></p>`
      }`,
  );
}

function button(outcome: string, label: string, kind: string): Html {
  return html`<form method="post">
    <input type="hidden" name="outcome" value="${outcome}" /><button class="${kind}">
      ${label}
    </button>
  </form>`;
}

function money({ amount_minor, currency }: CheckoutView, locale: Locale): string {
  const decimals = decimalsOf(currency);
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return format.format(toMajor(amount_minor, currency));
}

function instant(at: string, locale: Locale): string {
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(new Date(at));
}

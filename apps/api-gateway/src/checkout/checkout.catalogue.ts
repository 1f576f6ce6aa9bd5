import type { Locale, PaymentState } from '@mentorhub/contracts';

interface CheckoutTexts {
  title: string;
  sandbox: string;
  what: string;
  amount: string;
  until: string;
  pay: string;
  decline: string;
  states: Record<Exclude<PaymentState, 'pending'>, string>;
}

/** Every text of the checkout page. */
export const checkoutCatalogue: Record<Locale, CheckoutTexts> = {
  en: {
    title: 'Checkout',
    sandbox: 'This is a test provider: no money moves.',
    what: 'For',
    amount: 'Amount',
    until: 'Pay until',
    pay: 'Pay',
    decline: 'Decline',
    states: {
      succeeded: 'Paid. Thank you! You may close this page.',
      failed: 'The payment was declined. Nothing was charged.',
      expired: 'The time to pay has run out. Book again to get a new link.',
      refunded: 'The payment was refunded.',
      partially_refunded: 'A part of the payment was refunded.',
    },
  },
  ru: {
    title: 'Оплата',
    sandbox: 'Это тестовая платёжная система: деньги не списываются.',
    what: 'За что',
    amount: 'Сумма',
    until: 'Оплатить до',
    pay: 'Оплатить',
    decline: 'Отказаться',
    states: {
      succeeded: 'Оплачено. Спасибо! Страницу можно закрыть.',
      failed: 'Платёж отклонён. Деньги не списаны.',
      expired: 'Время на оплату истекло. Забронируйте снова, чтобы получить новую ссылку.',
      refunded: 'Платёж возвращён.',
      partially_refunded: 'Часть платежа возвращена.',
    },
  },
};

import { locales, type NotificationType } from '@mentorhub/contracts';
import { describe, expect, it } from 'vitest';
import { channels } from '../notifications/channels.js';
import type { NotificationParams } from '../notifications/notification-params.js';
import { accountMail, notificationMail } from './mail-templates.js';

const url = 'https://mentorhub.example';
const session = { topic: 'Interview', starts_at: '2026-11-25T15:00:00Z' };
const money = { description: 'Interview', amount_minor: 300_000, currency: 'RUB' };
const device = {
  browser: 'Firefox 140',
  os: 'Windows',
  network: '203.0.113.0/24',
  happened_at: '2026-11-25T15:00:00Z',
};
const mailed = {
  new_sign_in: device,
  refresh_token_reused: { ...device, browser: null, os: null },
  provider_linked: { provider_name: 'Google' },
  provider_unlinked: { provider_name: 'Google' },
  totp_enabled: {},
  totp_disabled: { second_step: true },
  passkey_added: {},
  passkey_removed: { second_step: true },
  recovery_code_used: { left: 9 },
  recovery_codes_replaced: {},
  sign_in_codes_guessed: {},
  password_changed: {},
  session_requested: { ...session, mentee_name: 'Ada' },
  session_confirmed: { ...session, mentor_name: 'Grace' },
  session_cancelled: {
    ...session,
    other_name: 'Grace',
    cancelled_by: 'mentor',
    reason: null,
    refund_minor: 0,
    currency: 'RUB',
  },
  session_expired: {
    ...session,
    mentor_name: 'Grace',
    unpaid: true,
    refund_minor: 0,
    currency: 'RUB',
  },
  session_missed: {
    ...session,
    other_name: 'Grace',
    role: 'mentee',
    absent_party: 'mentee',
    price_minor: 300_000,
    refund_minor: 0,
    currency: 'RUB',
  },
  meeting_link_added: { ...session, mentor_name: 'Grace' },
  review_received: { author_name: 'Ada', rating: 2 },
  mentor_approved: {},
  mentor_rejected: { reason: 'Too short.' },
  payment_received: money,
  payment_refunded: { ...money, refunded_minor: 150_000 },
} satisfies Partial<NotificationParams>;
const types = Object.keys(mailed) as (keyof typeof mailed)[];

const addressee = (locale: 'en' | 'ru') => ({
  full_name: 'Ada Lovelace',
  locale,
  timezone: 'Europe/Berlin',
});

const minted = (locale: 'en' | 'ru', token: string) => ({
  user_id: 1,
  email: 'ada@example.com',
  email_verified: false,
  locale,
  timezone: 'Europe/Berlin',
  token,
});

describe('mails', () => {
  it('exist for exactly the types that the table of channels names', () => {
    const named = (Object.keys(channels) as NotificationType[]).filter((type) =>
      channels[type].includes('mail'),
    );
    expect(types.toSorted()).toEqual(named.toSorted());
  });

  it.each(locales.flatMap((locale) => types.map((type) => ({ locale, type }))))(
    'a mail of $type in $locale greets, says it in text and HTML, and leads to the app',
    ({ locale, type }) => {
      const mail = notificationMail(type, mailed[type], addressee(locale), url);
      for (const part of [mail.text, mail.html]) {
        expect(part).toContain('Ada Lovelace');
        expect(part).toContain(url);
        expect(part).not.toMatch(/undefined|null|NaN|\[object/);
      }
      expect(mail.html).toContain(`<html lang="${locale}">`);
      expect(/[а-яё]/i.test(mail.subject)).toBe(locale === 'ru');
    },
  );

  it.each([
    ['en', 'Firefox 140 on Windows', 'Wednesday, 25 November 2026 at 16:00'],
    ['ru', 'Firefox 140, Windows', 'среда, 25 ноября 2026 г. в 16:00'],
  ] as const)(
    'the mail about a new device in %s names it, its network, and the time where its reader is',
    (locale, name, time) => {
      const { text } = notificationMail('new_sign_in', device, addressee(locale), url);
      for (const part of [name, '203.0.113.0/24', time]) expect(text).toContain(part);
    },
  );

  it.each([
    ['en', 'sign_in_code', 'Your code: 123456', '/community/mentorship/auth#token=a%2Fbc'],
    ['ru', 'sign_in_code', 'Ваш код: 123456', '/community/mentorship/auth#token=a%2Fbc'],
    ['en', 'reauthentication_code', 'Your code: 123456', '/'],
    ['ru', 'reauthentication_code', 'Ваш код: 123456', '/'],
  ] as const)(
    'in %s of the kind %s has the code in the text, not in the subject',
    (locale, kind, code, path) => {
      const token = kind === 'sign_in_code' ? 'a/bc' : undefined;
      const mail = accountMail(kind, { ...minted(locale, ''), token, code: '123456' }, url);
      expect(mail.text).toContain(code);
      expect(mail.text).toContain(`${url}${path}`);
      expect(mail.html).toContain('123456');
      expect(mail.subject).not.toContain('123456');
      expect(/[а-яё]/i.test(mail.subject)).toBe(locale === 'ru');
    },
  );

  it.each([
    ['en', 'Confirm your email address', 'once, for 24 hours'],
    ['ru', 'Подтвердите адрес почты', 'действует 24 часа'],
  ] as const)('the verification mail in %s carries the link', (locale, subject, validity) => {
    const link = `${url}/verify-email#token=a%2Fbc`;
    const mail = accountMail('verify_email', minted(locale, 'a/bc'), url);
    expect(mail.subject).toBe(subject);
    expect(mail.text).toContain(validity);
    expect(mail.text).toContain(link);
    expect(mail.html).toContain(`href="${link}"`);
  });

  it.each([
    ['reset_password', 'en', 'Set a new password', 'once, for 1 hour.', '/reset-password'],
    ['reset_password', 'ru', 'Новый пароль', 'действует 1 час.', '/reset-password'],
    [
      'confirm_email_change',
      'en',
      'Confirm your new email address',
      'once, for 24 hours, where you are signed in',
      '/confirm-email-change',
    ],
    [
      'confirm_email_change',
      'ru',
      'Подтвердите новый адрес почты',
      'действует 24 часа там, где вы вошли',
      '/confirm-email-change',
    ],
    [
      'undo_email_change',
      'en',
      'The email address of your account was changed',
      'within 72 hours',
      '/undo-email-change',
    ],
    [
      'undo_email_change',
      'ru',
      'Адрес почты вашей учётной записи изменён',
      'в течение 72 часов',
      '/undo-email-change',
    ],
  ] as const)('the mail %s in %s says how long its link works', (kind, locale, ...texts) => {
    const [subject, validity, path] = texts;
    const mail = accountMail(kind, minted(locale, 'abc'), url);
    expect(mail.subject).toBe(subject);
    expect(mail.text.replaceAll('\u00a0', ' ')).toContain(validity);
    expect(mail.text).toContain(`${url}${path}#token=abc`);
    expect(mail.html).toContain(`href="${url}${path}#token=abc"`);
  });

  it.each([
    ['en', 'because you have an account', 'gave this address'],
    ['ru', 'у вас есть учётная запись', 'этот адрес указан'],
  ] as const)(
    'in %s claim an account only of a reader whose address is verified',
    (locale, account, named) => {
      const stranger = minted(locale, 'abc');
      const owner = { ...stranger, email_verified: true };
      for (const [to, reason, other] of [
        [stranger, named, account],
        [owner, account, named],
      ] as const) {
        const { text, html } = accountMail('confirm_email_change', to, url);
        for (const part of [text, html]) {
          expect(part).toContain(reason);
          expect(part).not.toContain(other);
        }
      }
    },
  );

  it.each([
    ['en', 'passkey_added', 'delete the passkey in your settings first'],
    ['en', 'totp_enabled', 'turn the app off in your settings first'],
    ['ru', 'passkey_added', 'сначала удалите этот ключ'],
    ['ru', 'totp_enabled', 'сначала отключите приложение'],
  ] as const)(
    'in %s about %s say how to take away what a stranger added',
    (locale, type, advice) => {
      const { text } = notificationMail(type, mailed[type], addressee(locale), url);
      expect(text).toContain(advice);
    },
  );

  it('what users typed is text, never markup or another header', () => {
    const mail = notificationMail(
      'session_requested',
      {
        ...session,
        topic: "\"><script>alert(1)</script> & 'co'",
        mentee_name: 'Eve\r\nBcc: all@example.com',
      },
      addressee('en'),
      url,
    );
    expect(mail.html).not.toContain('<script>');
    expect(mail.html).toContain(
      '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;co&#39;',
    );
    expect(mail.subject).toBe('Eve Bcc: all@example.com asks for a session');
  });
});

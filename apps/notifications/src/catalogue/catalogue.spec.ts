import { locales, type NotificationType } from '@mentorhub/contracts';
import { describe, expect, it } from 'vitest';
import type { NotificationParams } from '../notifications/notification-params.js';
import { clip, notificationText } from './catalogue.js';
import type { NotificationText } from './catalogue-entries.js';
import { Formats } from './formats.js';

const session = { topic: 'Interview', starts_at: '2026-11-25T15:00:00Z' };
const money = { description: 'Interview', amount_minor: 300_000, currency: 'RUB' };

const device = {
  browser: 'Firefox 140',
  os: 'Windows',
  network: '203.0.113.0/24',
  happened_at: '2026-11-25T15:00:00Z',
};
const samples: { [T in NotificationType]: NotificationParams[T] } = {
  welcome: { name: 'Ada' },
  email_verified: {},
  new_sign_in: device,
  refresh_token_reused: { ...device, os: null },
  provider_linked: { provider_name: 'Google' },
  provider_unlinked: { provider_name: 'Google' },
  totp_enabled: {},
  totp_disabled: { second_step: false },
  passkey_added: {},
  passkey_removed: { second_step: false },
  recovery_code_used: { left: 3 },
  recovery_codes_replaced: {},
  sign_in_codes_guessed: {},
  email_changed: {},
  password_changed: {},
  session_requested: { ...session, mentee_name: 'Ada' },
  session_confirmed: { ...session, mentor_name: 'Grace' },
  session_cancelled: {
    ...session,
    other_name: 'Grace',
    cancelled_by: 'mentor',
    reason: 'Illness',
    refund_minor: 300_000,
    currency: 'RUB',
  },
  session_expired: {
    ...session,
    mentor_name: 'Grace',
    unpaid: false,
    refund_minor: 300_000,
    currency: 'RUB',
  },
  session_completed: { ...session, other_name: 'Grace', role: 'mentee' },
  session_missed: {
    ...session,
    other_name: 'Grace',
    role: 'mentee',
    absent_party: 'mentor',
    price_minor: 300_000,
    refund_minor: 300_000,
    currency: 'RUB',
  },
  meeting_link_added: { ...session, mentor_name: 'Grace' },
  new_message: { sender_name: 'Grace' },
  review_received: { author_name: 'Ada', rating: 5 },
  mentor_approved: {},
  mentor_rejected: { reason: 'Too short.' },
  payment_received: money,
  payment_failed: money,
  payment_refunded: { ...money, refunded_minor: 150_000 },
};
const types = Object.keys(samples) as NotificationType[];
/** Intl joins numbers and units by spaces of other widths, which differ between its versions. */
const normal = (value: string): string => value.replaceAll(/[\u00a0\u202f]/g, ' ');
const berlin = { timezone: 'Europe/Berlin' } as const;

describe('the texts of notifications', () => {
  it.each(locales.flatMap((locale) => types.map((type) => ({ locale, type }))))(
    '$type reads well in $locale',
    ({ locale, type }) => {
      const { title, body } = notificationText(type, samples[type], { locale, ...berlin });
      for (const text of [title, body]) {
        expect(text).not.toMatch(/undefined|null|NaN|\[object|\$\{|^\s|\s$|\s{2}/);
        expect(/[а-яё]/i.test(text)).toBe(locale === 'ru');
      }
    },
  );

  const texts: [string, () => NotificationText, NotificationText][] = [
    [
      'a mentee reads in English when the session is, in the own zone',
      () =>
        notificationText('session_confirmed', samples.session_confirmed, {
          locale: 'en',
          ...berlin,
        }),
      {
        title: 'Grace confirmed your session',
        body: '“Interview” takes place on Wednesday, 25 November 2026 at 16:00 CET.',
      },
    ],
    [
      'and in Russian in Vladivostok, where it is the next day',
      () =>
        notificationText('session_confirmed', samples.session_confirmed, {
          locale: 'ru',
          timezone: 'Asia/Vladivostok',
        }),
      {
        title: 'Сессия подтверждена: Grace',
        body: '«Interview», четверг, 26 ноября 2026 г. в 01:00 GMT+10. До встречи!',
      },
    ],
    [
      'a cancellation names the reason and the refund',
      () =>
        notificationText('session_cancelled', samples.session_cancelled, {
          locale: 'en',
          ...berlin,
        }),
      {
        title: 'Grace cancelled your session',
        body: 'Your mentor cancelled “Interview” on Wednesday, 25 November 2026 at 16:00 CET. Reason: “Illness”. You get RUB 3,000 back.',
      },
    ],
  ];
  it.each(texts)('%s', (_sentence, write, text) => {
    const { title, body } = write();
    expect({ title: normal(title), body: normal(body) }).toEqual(text);
  });

  it('a long reason is shortened to what a body may have', () => {
    const params = { reason: 'a'.repeat(5000) };
    const { body } = notificationText('mentor_rejected', params, { locale: 'en', ...berlin });
    expect(body).toMatch(/^Reason: “a+…$/);
    expect(body).toHaveLength(1000);
  });

  it('shortening never cuts a character in two', () => {
    expect(clip('ab😀cd', 4)).toBe('ab…');
    expect(clip('abcd', 4)).toBe('abcd');
  });
});

describe('formats', () => {
  const stars = { one: 'звезда', few: 'звезды', other: 'звёзд' };

  it.each([
    [1, '1 звезда'],
    [2, '2 звезды'],
    [5, '5 звёзд'],
    [11, '11 звёзд'],
    [21, '21 звезда'],
  ])('%i is counted in Russian as %s', (number, text) => {
    expect(new Formats('ru', 'UTC').count(number, stars)).toBe(text);
  });

  it('one star and five stars', () => {
    const formats = new Formats('en', 'UTC');
    expect(formats.count(1, { one: 'star', other: 'stars' })).toBe('1 star');
    expect(formats.count(5, { one: 'star', other: 'stars' })).toBe('5 stars');
  });

  it('a zone that the machine does not know counts as UTC', () => {
    expect(new Formats('en', 'Mars/Olympus').dateTime('2026-11-25T15:00:00Z')).toContain(
      '15:00 UTC',
    );
  });

  it('cents are written when there are any', () => {
    expect(new Formats('en', 'UTC').money(1250, 'EUR')).toBe('€12.50');
    expect(new Formats('en', 'UTC').money(1200, 'EUR')).toBe('€12');
    expect(new Formats('en', 'UTC').money(1200, 'JPY')).toBe('¥1,200');
    expect(new Formats('en', 'UTC').money(1205, 'KWD')).toBe('KWD\u00A01.205');
    expect(new Formats('en', 'UTC').money(1205, 'IQD')).toBe('IQD\u00A01.205');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AccountMails,
  bookingCancelled,
  bookingCompleted,
  bookingConfirmed,
  bookingExpired,
  type BookingFact,
  bookingMeetingLinkAdded,
  bookingNoShow,
  bookingPaid,
  bookingRequested,
  type CapturedMail,
  ApplicationError,
  type ChatRead,
  chatRead,
  type Contact,
  DevMail,
  type Locale,
  mentorApproved,
  mentorRejected,
  messageSent,
  type NotificationView,
  Notifications,
  type BookingAmountDue,
  passkeyAdded,
  passkeyRemoved,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
  recoveryCodesReplaced,
  recoveryCodeUsed,
  reviewCreated,
  signInCodesGuessed,
  totpDisabled,
  totpEnabled,
  userEmailChanged,
  userEmailVerified,
  userExpired,
  userRegistered,
  userUpdated,
  userMailRequested,
  userPasswordChanged,
  userProviderLinked,
  userRefreshTokenReused,
  userSignedInFromNewDevice,
  Users,
} from '@mentorhub/contracts';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { Clock, createService, type RunningService } from '@mentorhub/service-kit';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { DataSource } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';
import { retryMs } from '../src/deferred/deferred-notifications.js';
import { Mailer } from '../src/mail/mailer.js';
import { retryDelaysMs } from '../src/mail/retry-delays.js';
import { LogTransport } from '../src/mail/transports/log-transport.js';
import { MailTransport } from '../src/mail/transports/mail-transport.js';
import { Neighbours } from '@mentorhub/messaging-testing';

const verification = (user_id: number) => ({ user_id, mail: 'verify_email' as const, ref: null });

/** Real time that can be moved on, so that waits of hours pass at once. */
class MovableClock extends Clock {
  private ahead = 0;

  override now(): Date {
    return new Date(Date.now() + this.ahead);
  }

  advance(milliseconds: number): void {
    this.ahead += milliseconds;
  }
}

interface Mail {
  state: string;
  attempts: number;
  failure: string | null;
}

function booking(
  mentor: number,
  mentee: number,
  overrides: Partial<BookingFact> = {},
): BookingFact {
  return {
    booking_id: 42,
    mentor_id: 1,
    mentor_user_id: mentor,
    mentor_name: 'Grace Hopper',
    mentee_user_id: mentee,
    mentee_name: 'Ada Lovelace',
    starts_at: '2026-11-26T12:00:00.000Z',
    ends_at: '2026-11-26T13:00:00.000Z',
    timezone: 'Europe/Berlin',
    topic: 'Interview',
    status: 'pending',
    payment_status: 'paid',
    price_minor: 300_000,
    currency: 'RUB',
    ...overrides,
  };
}

const amountDue = (mentor: number, mentee: number): BookingAmountDue => ({
  booking_id: 42,
  checkout_id: 'co_x',
  mentor_user_id: mentor,
  mentee_user_id: mentee,
  topic: 'Interview',
  amount_minor: 300_000,
  currency: 'RUB',
  due: true,
  expires_at: '2026-11-25T12:15:00.000Z',
});

describe('notifications', () => {
  const clock = new MovableClock();
  const contacts = new Map<number, Contact>();
  const away = new Set<number>();
  const silent = new Set<number>();
  const endSilence: (() => void)[] = [];
  let database: TestDatabase;
  let nats: Awaited<ReturnType<typeof testNats>>;
  let mailDirectory: string;
  let replicas: RunningService[] = [];
  let neighbours: Neighbours;
  let data: DataSource;
  let lastUser = 100;

  const lines = {
    log: vi.spyOn(Logger.prototype, 'log'),
    error: vi.spyOn(Logger.prototype, 'error'),
  };

  const start = (settings: Record<string, string> = {}): Promise<RunningService> =>
    createService({
      name: 'notifications',
      config: readConfig({
        PROFILE: 'local',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        PUBLIC_URL: 'https://mentorhub.example',
        DATABASE_URL_NOTIFICATIONS: database.url,
        DATABASE_DIRECT_URL_NOTIFICATIONS: database.directUrl,
        NATS_URL: nats.url,
        MAIL_DIRECTORY: mailDirectory,
        ...settings,
      }),
      module: appModule,
      clock,
      // Mails that fail on purpose are logged.
      logger: new ConsoleLogger({ logLevels: [] }),
    });

  /** The first line about a user's mails at a level. */
  const logged = (level: 'log' | 'error', userId: number): string | undefined =>
    lines[level].mock.calls
      .map((call) => JSON.stringify(call))
      .find((line) => line.includes(`"user_id":${userId},`));

  const service = (): RunningService => {
    const [first] = replicas;
    if (!first) throw new Error('The service has not started.');
    return first;
  };

  function contactOf(userId: number): Contact {
    if (away.has(userId)) throw new ApplicationError('SERVICE_UNAVAILABLE', 'identity is away');
    const contact = contacts.get(userId);
    if (!contact) throw ApplicationError.notFound('The user');
    return contact;
  }

  beforeAll(async () => {
    [database, nats] = await Promise.all([testDatabase('notifications'), testNats()]);
    mailDirectory = await mkdtemp(join(tmpdir(), 'mentorhub-mail-'));
    replicas = await Promise.all([start(), start()]);
    data = service().app.get(DataSource);
    neighbours = await Neighbours.connect(nats.url);
    neighbours.answer(Users.contact, ({ user_id }) =>
      silent.has(user_id) ? silence() : contactOf(user_id),
    );
    neighbours.answer(AccountMails.mint, ({ user_id }) => {
      const { full_name: _, ...contact } = contactOf(user_id);
      return { ...contact, token: `token/of+${user_id}` };
    });
  });

  afterAll(async () => {
    await neighbours?.close();
    await Promise.all(replicas.map((replica) => replica.close()));
    await nats?.stop();
    await database?.drop();
    if (mailDirectory) await rm(mailDirectory, { recursive: true, force: true });
  });

  /** Somebody whom identity knows, and this service does not yet. */
  function person(locale: Locale = 'en', timezone = 'Europe/Berlin'): number {
    const user_id = ++lastUser;
    contacts.set(user_id, {
      user_id,
      email: `user${user_id}@example.com`,
      full_name: `Person ${user_id}`,
      locale,
      timezone,
      email_verified: true,
    });
    return user_id;
  }

  const list = (userId: number, query = {}) => neighbours.ask(Notifications.list, userId, query);

  const notified = (userId: number, type: string): Promise<NotificationView> =>
    eventually(`${type} for user ${userId}`, async () =>
      (await list(userId)).items.find((item) => item.type === type),
    );

  const mailTo = (userId: number, subject: RegExp): Promise<CapturedMail> =>
    eventually(`the mail ${String(subject)} to user ${userId}`, async () => {
      const { items } = await neighbours.ask(DevMail.list, undefined, {
        to: `user${userId}@example.com`,
      });
      return items.find((mail) => subject.test(mail.subject));
    });

  const mailsOf = (userId: number): Promise<Mail[]> =>
    data.query('SELECT state, attempts, failure FROM mails WHERE user_id = $1 ORDER BY id', [
      userId,
    ]);

  /** The events of one user of a type. */
  const published = (type: string, userId: number): Promise<Record<string, unknown>[]> =>
    data
      .query<{ payload: Record<string, unknown> }[]>(
        `SELECT payload FROM outbox WHERE type = $1 AND (payload ->> 'user_id')::int = $2 ORDER BY id`,
        [type, userId],
      )
      .then((rows) => rows.map(({ payload }) => payload));

  /** Waits until every event published so far has been handled. */
  async function caughtUp(): Promise<void> {
    const marker = person();
    await neighbours.publish(mentorApproved, marker, { mentor_id: 1, user_id: marker });
    await notified(marker, 'mentor_approved');
    await eventually('the deferred notifications', async () => {
      const left = await data.query<unknown[]>(
        'SELECT FROM deferred_notifications WHERE user_id <> ALL ($1::integer[])',
        [[...away, ...silent]],
      );
      return left.length === 0 ? true : undefined;
    });
  }

  /** No answer until the test is over; then that the user is gone. */
  function silence(): Promise<never> {
    return new Promise((_resolve, reject) => {
      endSilence.push(() => reject(ApplicationError.notFound('The user')));
    });
  }

  afterEach(() => {
    for (const userId of silent) contacts.delete(userId);
    silent.clear();
    for (const end of endSilence.splice(0)) end();
  });

  async function openTransactions(): Promise<number | undefined> {
    const [row] = await data.query<{ open: number }[]>(
      `SELECT count(*) AS open FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'idle in transaction'`,
    );
    return row?.open;
  }

  /** Somebody about whom identity gives no answer at all. */
  function silentPerson(): number {
    const user = person('ru');
    silent.add(user);
    return user;
  }

  const register = (userId: number, locale: Locale = 'en', timezone = 'Europe/Berlin') =>
    neighbours.publish(userRegistered, userId, {
      user_id: userId,
      username: `user${userId}`,
      full_name: `Person ${userId}`,
      avatar_url: null,
      email_verified: false,
      role: 'student',
      locale,
      timezone,
    });

  const say = (message_id: number, chat_id: number, sender: number, recipients: number[]) =>
    neighbours.publish(messageSent, message_id, {
      sent_at: new Date().toISOString(),
      messages: [
        {
          message_id,
          chat_id,
          sender_id: sender,
          sender_name: 'Ada',
          recipient_ids: recipients,
        },
      ],
    });

  /** Puts mails to a user into the queue. */
  const queueMails = (userId: number, count: number) =>
    data.query(
      `INSERT INTO mails (user_id, template, params, next_attempt_at, created_at)
         SELECT $1, 'mentor_approved', '{}', $2, $2 FROM generate_series(1, $3)`,
      [userId, clock.now(), count],
    );

  const readChats = (reads: ChatRead[]) =>
    neighbours.publish(chatRead, reads[0]?.chat_id ?? 0, { reads });

  /** Somebody with three unread notifications. */
  async function withThree(): Promise<number> {
    const user = person();
    await register(user);
    await notified(user, 'welcome');
    await neighbours.publish(userEmailVerified, user, { user_id: user });
    await neighbours.publish(mentorApproved, user, { mentor_id: 1, user_id: user });
    await notified(user, 'mentor_approved');
    return user;
  }

  describe('an account', () => {
    it('a new user is welcomed in the own language, and it is published for the open sockets', async () => {
      const user = person('ru');
      await register(user, 'ru');
      const welcome = await notified(user, 'welcome');
      expect(welcome).toEqual({
        id: expect.any(Number),
        type: 'welcome',
        title: `Person ${user}, добро пожаловать в MentorHub!`,
        body: expect.stringContaining('Найдите ментора'),
        data: {},
        is_read: false,
        read_at: null,
        created_at: expect.stringMatching(/Z$/),
      });
      expect(await published('notifications.notification.created', user)).toEqual([
        { user_id: user, notification: welcome, unread_count: 1 },
      ]);
    });

    it('the verification mail carries a link whose token is stored nowhere else', async () => {
      const user = person();
      await neighbours.publish(userMailRequested, user, verification(user));
      const mail = await mailTo(user, /Confirm your email address/);
      const link = `https://mentorhub.example/verify-email#token=token%2Fof%2B${user}`;
      expect(mail.text).toContain(link);
      expect(mail.html).toContain(`href="${link}"`);

      await eventually(
        'the delivery',
        async () => (await published('notifications.delivery.sent', user))[0],
      );
      expect(await published('notifications.delivery.sent', user)).toEqual([
        { user_id: user, channel: 'mail', template: 'verify_email' },
      ]);
      const stored = await data.query(
        `SELECT to_jsonb(mails)::text AS row FROM mails UNION ALL SELECT to_jsonb(outbox)::text FROM outbox`,
      );
      expect(JSON.stringify(stored)).not.toMatch(/token\/of|@example\.com/);
      expect((await list(user)).items).toEqual([]);
    });

    it('the verification mail is in Russian for users who chose Russian', async () => {
      const user = person('ru');
      await neighbours.publish(userMailRequested, user, verification(user));
      expect((await mailTo(user, /Подтвердите адрес почты/)).text).toContain('Здравствуйте!');
    });

    it('a mail greets nobody by a name that identity leaves out', async () => {
      const user = person();
      await neighbours.publish(userMailRequested, user, verification(user));
      const mail = await mailTo(user, /Confirm your email address/);
      expect(mail.text).toMatch(/^Hello,\n/);
    });

    it('no other mail goes to an address that is not verified', async () => {
      const user = person();
      contacts.set(user, { ...contacts.get(user)!, email_verified: false });
      await neighbours.publish(bookingConfirmed, 42, booking(person(), user));
      await notified(user, 'session_confirmed');
      await eventually('the mail to be given up', async () =>
        (await mailsOf(user)).every(({ state }) => state === 'failed') ? true : undefined,
      );
      expect(await mailsOf(user)).toMatchObject([{ attempts: 1, failure: 'AddressNotVerified' }]);
      const line = await eventually('the line of the log', () => logged('log', user));
      expect(line).toContain('AddressNotVerified');
      expect(line).not.toContain('@');
      expect(logged('error', user)).toBeUndefined();
    });

    it('nothing of an account that expired stays', async () => {
      const user = person();
      await register(user);
      await notified(user, 'welcome');
      await neighbours.publish(userExpired, user, { user_id: user });
      await eventually('the notifications to be deleted', async () =>
        (await list(user)).items.length === 0 ? true : undefined,
      );
      expect(await data.query('SELECT FROM recipients WHERE user_id = $1', [user])).toEqual([]);
    });

    it('a changed password is reported in the app and by mail, a changed address in the app', async () => {
      const user = person();
      await register(user);
      await neighbours.publish(userPasswordChanged, user, { user_id: user });
      await neighbours.publish(userEmailChanged, user, { user_id: user });
      await notified(user, 'password_changed');
      await notified(user, 'email_changed');
      await mailTo(user, /Your password was changed/);
      expect(await mailsOf(user)).toHaveLength(1);
    });

    it('a verified address is acknowledged', async () => {
      const user = person();
      await neighbours.publish(userEmailVerified, user, { user_id: user });
      await expect(notified(user, 'email_verified')).resolves.toMatchObject({
        title: 'Your email address is confirmed',
      });
    });

    it('a new device and a stolen sign-in are reported by mail, in the language and zone of the reader', async () => {
      const user = person('ru');
      await register(user, 'ru');
      const device = { browser: 'Firefox 140', os: 'Windows', network: '203.0.113.0/24' };
      const fact = { user_id: user, session_id: 70, ...device };
      await neighbours.publish(userSignedInFromNewDevice, user, fact);
      await neighbours.publish(userRefreshTokenReused, user, { ...fact, browser: null, os: null });
      await neighbours.publish(userProviderLinked, user, {
        user_id: user,
        provider_name: 'Google',
      });
      const { title, body, data: about } = await notified(user, 'new_sign_in');
      expect(title).toBe('Новый вход в вашу учётную запись');
      expect(body).toMatch(/^Firefox 140, Windows, сеть 203\.0\.113\.0\/24, .* г\. в \d\d:\d\d /);
      expect(about).toEqual({ session_id: 70 });
      await expect(notified(user, 'refresh_token_reused')).resolves.toMatchObject({
        body: expect.stringMatching(/^Неизвестное устройство, последняя сеть /) as string,
      });
      for (const subject of ['Новый вход', 'Сеанс устройства завершён', 'входить через Google']) {
        await mailTo(user, new RegExp(subject));
      }
    });

    it('every change of what a sign-in needs is notified, by mail too', async () => {
      const user = person();
      const of = { user_id: user };
      await neighbours.publish(totpEnabled, user, of);
      await neighbours.publish(passkeyAdded, user, of);
      await neighbours.publish(recoveryCodeUsed, user, { ...of, left: 1 });
      await neighbours.publish(recoveryCodesReplaced, user, of);
      await neighbours.publish(signInCodesGuessed, user, of);
      await neighbours.publish(totpDisabled, user, { ...of, second_step: true });
      await neighbours.publish(passkeyRemoved, user, { ...of, second_step: false });
      await expect(notified(user, 'passkey_removed')).resolves.toMatchObject({
        body: expect.stringMatching(
          /^Signing in to your account does not need a second step any more\. If it was not you,/,
        ) as string,
      });
      await expect(notified(user, 'totp_disabled')).resolves.toMatchObject({
        body: expect.stringContaining('is now a passkey or a recovery code.') as string,
      });
      await expect(notified(user, 'recovery_code_used')).resolves.toMatchObject({
        body: expect.stringMatching(/^You have 1 recovery code left\. Make new ones/) as string,
      });
      for (const subject of [
        'An authenticator app was set up',
        'The authenticator app was removed',
        'A passkey was added',
        'A passkey was removed',
        'A recovery code was used',
        'New recovery codes were made',
        'Somebody is trying to sign in to your account',
      ]) {
        await mailTo(user, new RegExp(subject));
      }
    });

    it('after a change of the language the next notification is in it', async () => {
      const user = person();
      await register(user, 'en');
      await neighbours.publish(userUpdated, user, {
        user_id: user,
        username: 'ada',
        full_name: 'Ada',
        avatar_url: null,
        email_verified: true,
        locale: 'ru',
        timezone: 'Asia/Vladivostok',
      });
      await caughtUp();
      await neighbours.publish(bookingConfirmed, 42, booking(person(), user));
      const { body } = await notified(user, 'session_confirmed');
      expect(body).toMatch(/четверг, 26 ноября 2026.+22:00/);
    });
  });

  describe('a session', () => {
    it('its mentor is notified of a free one at once, by mail too, in the own time zone', async () => {
      const mentor = person('en', 'America/New_York');
      await neighbours.publish(bookingRequested, 42, {
        ...booking(mentor, person(), { payment_status: 'not_required' }),
        amount_due: null,
      });
      await expect(notified(mentor, 'session_requested')).resolves.toMatchObject({
        title: 'Ada Lovelace asks for a session',
        body: expect.stringContaining('Thursday, 26 November 2026 at 07:00'),
        data: { session_id: 42 },
      });
      await mailTo(mentor, /Ada Lovelace asks for a session/);
    });

    it('its mentor is notified of a priced one once it is paid, not before', async () => {
      const [mentor, mentee] = [person(), person()];
      const fact = booking(mentor, mentee, { payment_status: 'unpaid' });
      await neighbours.publish(bookingRequested, 42, {
        ...fact,
        amount_due: amountDue(mentor, mentee),
      });
      await caughtUp();
      expect((await list(mentor)).total).toBe(0);

      await neighbours.publish(bookingPaid, 42, booking(mentor, mentee));
      await notified(mentor, 'session_requested');
      await mailTo(mentor, /asks for a session/);
    });

    it('its mentee is notified of the confirmation and of the meeting link, by mail too', async () => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingConfirmed, 42, booking(mentor, mentee));
      await neighbours.publish(bookingMeetingLinkAdded, 42, booking(mentor, mentee));
      await notified(mentee, 'session_confirmed');
      await notified(mentee, 'meeting_link_added');
      await mailTo(mentee, /Grace Hopper confirmed your session/);
      await mailTo(mentee, /Grace Hopper added the meeting link/);
      expect((await list(mentor)).total).toBe(0);
    });

    it.each([
      ['mentor', 'mentee', 'Grace Hopper cancelled your session'],
      ['mentee', 'mentor', 'Ada Lovelace cancelled your session'],
    ] as const)('cancelled by the %s, the %s is notified', async (by, other, title) => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingCancelled, 42, {
        ...booking(mentor, mentee),
        cancelled_by: by,
        reason: null,
        refund_minor: 300_000,
      });
      const recipient = other === 'mentor' ? mentor : mentee;
      await expect(notified(recipient, 'session_cancelled')).resolves.toMatchObject({ title });
      expect((await list(recipient === mentor ? mentee : mentor)).total).toBe(0);
    });

    it('cancelled by its mentee before it was paid, the mentor is not notified', async () => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingCancelled, 42, {
        ...booking(mentor, mentee, { payment_status: 'unpaid' }),
        cancelled_by: 'mentee',
        reason: null,
        refund_minor: 0,
      });
      await caughtUp();
      expect((await list(mentor)).total).toBe(0);
    });

    it('its mentee is notified that it has expired, and both that it is complete', async () => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingExpired, 42, {
        ...booking(mentor, mentee, { payment_status: 'unpaid' }),
        refund_minor: 0,
      });
      await neighbours.publish(bookingCompleted, 42, booking(mentor, mentee));
      await expect(notified(mentee, 'session_expired')).resolves.toMatchObject({
        body: expect.stringContaining('was not paid in time'),
      });
      await notified(mentee, 'session_completed');
      await expect(notified(mentor, 'session_completed')).resolves.toMatchObject({
        title: 'Your session with Ada Lovelace is complete',
      });
    });

    it('missed by its mentor, both are notified of the absence and of the refund', async () => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingNoShow, 42, {
        ...booking(mentor, mentee, { status: 'no_show' }),
        absent_party: 'mentor',
        refund_minor: 300_000,
      });
      await expect(notified(mentee, 'session_missed')).resolves.toMatchObject({
        title: 'Your session with Grace Hopper is recorded as missed',
        body: expect.stringMatching(/because the mentor was absent\. You get .*3,000.* back\.$/),
        data: { session_id: 42 },
      });
      await expect(notified(mentor, 'session_missed')).resolves.toMatchObject({
        title: 'Ada Lovelace reports that you missed your session',
        body: expect.stringMatching(/The mentee gets .*3,000.* back\.$/),
      });
      await mailTo(mentor, /reports that you missed/);
    });

    it('missed by its mentee, both are notified that nothing is refunded', async () => {
      const [mentor, mentee] = [person(), person('ru')];
      await neighbours.publish(bookingNoShow, 42, {
        ...booking(mentor, mentee, { status: 'no_show' }),
        absent_party: 'mentee',
        refund_minor: 0,
      });
      await expect(notified(mentee, 'session_missed')).resolves.toMatchObject({
        title: 'Grace Hopper сообщает, что вы пропустили сессию',
        body: expect.stringMatching(/ученик не пришёл\. Стоимость не возвращается\.$/),
      });
      await expect(notified(mentor, 'session_missed')).resolves.toMatchObject({
        body: expect.stringMatching(/The price is not refunded\.$/),
      });
    });

    it('missed in an event of an earlier version, both are notified that the mentee was absent', async () => {
      const [mentor, mentee] = [person(), person()];
      await neighbours.publish(bookingNoShow, 42, booking(mentor, mentee, { status: 'no_show' }));
      for (const user of [mentor, mentee]) {
        await expect(notified(user, 'session_missed')).resolves.toMatchObject({
          body: expect.stringMatching(
            /because the mentee was absent\. The price is not refunded\.$/,
          ),
        });
      }
    });

    it('an event that is delivered many times notifies and mails once', async () => {
      const mentee = person();
      const fact = booking(person(), mentee);
      const id = await neighbours.publish(bookingConfirmed, 42, fact);
      for (let i = 0; i < 20; i++) await neighbours.publish(bookingConfirmed, 42, fact, id);
      await caughtUp();
      await mailTo(mentee, /confirmed your session/);
      expect((await list(mentee)).total).toBe(1);
      expect(await mailsOf(mentee)).toHaveLength(1);
    });
  });

  it('a mentor is notified of the approval, the rejection and a review', async () => {
    const mentor = person('ru');
    await neighbours.publish(mentorRejected, 5, {
      mentor_id: 5,
      user_id: mentor,
      reason: 'Short.',
    });
    await neighbours.publish(mentorApproved, 5, { mentor_id: 5, user_id: mentor });
    await neighbours.publish(reviewCreated, 9, {
      review_id: 9,
      booking_id: 42,
      mentor_id: 5,
      mentor_user_id: mentor,
      author_user_id: 1,
      author_name: 'Ada',
      rating: 4,
    });
    await expect(notified(mentor, 'review_received')).resolves.toMatchObject({
      body: 'Ваша оценка: 4 звезды из 5.',
      data: { review_id: 9, session_id: 42 },
    });
    await notified(mentor, 'mentor_approved');
    await notified(mentor, 'mentor_rejected');
    await mailTo(mentor, /Теперь вы ментор/);
    await mailTo(mentor, /Заявка ментора отклонена/);
  });

  it('the payer gets a receipt, and is notified of failures and refunds', async () => {
    const user = person();
    const payment = {
      payment_id: 'pm_1',
      booking_id: 42,
      user_id: user,
      mentor_user_id: 3,
      amount_minor: 300_000,
      currency: 'RUB',
      description: 'Interview',
    };
    await neighbours.publish(paymentFailed, 'pm_1', payment);
    await neighbours.publish(paymentSucceeded, 'pm_1', payment);
    await neighbours.publish(paymentRefunded, 'pm_1', { ...payment, refunded_minor: 150_000 });
    const refund = await notified(user, 'payment_refunded');
    expect(refund.title.replaceAll(/\s/g, ' ')).toBe('Refund: RUB 1,500');
    expect(refund.data).toEqual({ payment_id: 'pm_1', session_id: 42 });
    await notified(user, 'payment_failed');
    await notified(user, 'payment_received');
    await mailTo(user, /^Payment received/);
    await mailTo(user, /^Refund/);
  });

  describe('a chat', () => {
    it('however many messages there are, its reader has one unread notification of it, and no mail', async () => {
      const [sender, english, russian] = [person(), person(), person('ru')];
      await register(russian, 'ru');
      await caughtUp();
      for (let i = 1; i <= 10; i++) await say(i, 7, sender, [sender, english, russian]);
      await say(11, 8, sender, [english]);
      await caughtUp();

      expect((await list(english)).items).toMatchObject([
        { type: 'new_message', data: { chat_id: 8, message_id: 11, sender_id: sender } },
        { type: 'new_message', data: { chat_id: 7, message_id: 1 }, title: 'New message from Ada' },
      ]);
      expect((await list(russian, { type: 'new_message' })).items).toMatchObject([
        { title: 'Новое сообщение: Ada' },
      ]);
      expect((await list(sender)).total).toBe(0);
      expect(await published('notifications.notification.created', english)).toMatchObject([
        { unread_count: 1 },
        { unread_count: 2 },
      ]);
      expect(await mailsOf(english)).toEqual([]);
    });

    it('once the chat is read, the next message notifies again', async () => {
      const [sender, reader, other] = [person(), person(), person()];
      await say(1, 10, sender, [reader, other]);
      const first = await notified(reader, 'new_message');
      await say(2, 10, sender, [reader, other]);
      await readChats([{ chat_id: 10, user_id: reader, message_id: 2 }]);
      await say(3, 10, sender, [reader, other]);
      await caughtUp();
      expect((await list(reader)).items).toMatchObject([
        { data: { message_id: 3 }, is_read: false },
        { id: first.id, data: { message_id: 1 }, is_read: true },
      ]);
      expect((await list(other)).items).toMatchObject([
        { data: { message_id: 1 }, is_read: false },
      ]);
    });

    it('messages after the last one read stay unread', async () => {
      const [sender, reader] = [person(), person()];
      await say(5, 11, sender, [reader]);
      await readChats([
        { chat_id: 11, user_id: reader, message_id: 4 },
        { chat_id: 12, user_id: reader, message_id: 9 },
      ]);
      await caughtUp();
      expect((await list(reader)).items).toMatchObject([{ is_read: false }]);
    });

    it('a message that is reported after it was read notifies nobody, and the one after it does', async () => {
      const [sender, reader, newcomer] = [person(), person(), person()];
      await register(newcomer);
      await readChats([
        { chat_id: 13, user_id: reader, message_id: 6 },
        { chat_id: 13, user_id: reader, message_id: 4 },
        { chat_id: 13, user_id: newcomer, message_id: 5 },
      ]);
      await readChats([{ chat_id: 13, user_id: reader, message_id: 5 }]);
      await caughtUp();
      await say(5, 13, sender, [reader, newcomer]);
      await say(6, 13, sender, [reader, newcomer]);
      await caughtUp();
      expect((await list(reader, { type: 'new_message' })).items).toEqual([]);
      expect((await list(newcomer, { type: 'new_message' })).items).toMatchObject([
        { data: { message_id: 6 }, is_read: false },
      ]);
      await say(7, 13, sender, [reader]);
      await caughtUp();
      expect((await list(reader, { type: 'new_message' })).items).toMatchObject([
        { data: { message_id: 7 }, is_read: false },
      ]);
    });

    it('of messages that are reported together, the first unread one notifies', async () => {
      const [sender, reader] = [person(), person()];
      await readChats([{ chat_id: 14, user_id: reader, message_id: 21 }]);
      await caughtUp();
      await neighbours.publish(messageSent, 20, {
        sent_at: new Date().toISOString(),
        messages: [20, 21, 22, 23].map((message_id) => ({
          message_id,
          chat_id: 14,
          sender_id: sender,
          sender_name: 'Ada',
          recipient_ids: [reader],
        })),
      });
      await caughtUp();
      expect((await list(reader)).items).toMatchObject([{ data: { message_id: 22 } }]);
    });

    it('once the notification is read, the next message notifies again', async () => {
      const [sender, reader] = [person(), person()];
      await say(1, 9, sender, [reader]);
      const { id } = await notified(reader, 'new_message');
      await neighbours.ask(Notifications.read, reader, { id });
      await say(2, 9, sender, [reader]);
      await caughtUp();
      expect((await list(reader)).total).toBe(2);
    });
  });

  describe('the list', () => {
    it('comes in pages, the newest first, by type and by whether it is read', async () => {
      const user = await withThree();
      const first = await list(user, { page: 1, size: 2 });
      expect(first).toMatchObject({ total: 3, page: 1, pages: 2 });
      expect(first.items.map(({ type }) => type)).toEqual(['mentor_approved', 'email_verified']);
      expect((await list(user, { page: 2, limit: 2 })).items.map(({ type }) => type)).toEqual([
        'welcome',
      ]);
      expect((await list(user, { type: 'welcome' })).total).toBe(1);

      const id = first.items[0]?.id ?? 0;
      await neighbours.ask(Notifications.read, user, { id });
      expect((await list(user, { is_read: true })).items.map((item) => item.id)).toEqual([id]);
      expect((await list(user, { is_read: false })).total).toBe(2);
    });

    it('one can be read, twice with the same answer, then all, and they are counted', async () => {
      const user = await withThree();
      const [newest] = (await list(user)).items;
      const id = newest?.id ?? 0;
      const read = await neighbours.ask(Notifications.read, user, { id });
      expect(read).toMatchObject({ id, is_read: true, read_at: expect.stringMatching(/Z$/) });
      await expect(neighbours.ask(Notifications.read, user, { id })).resolves.toEqual(read);
      await expect(neighbours.ask(Notifications.unreadCount, user, {})).resolves.toEqual({
        unread_count: 2,
      });
      await expect(neighbours.ask(Notifications.readAll, user, {})).resolves.toEqual({ count: 2 });
      await expect(neighbours.ask(Notifications.unreadCount, user, {})).resolves.toEqual({
        unread_count: 0,
      });
    });

    it('one can be removed, then all', async () => {
      const user = await withThree();
      const [newest] = (await list(user)).items;
      const id = newest?.id ?? 0;
      await expect(neighbours.ask(Notifications.remove, user, { id })).resolves.toBeUndefined();
      await expect(neighbours.ask(Notifications.remove, user, { id })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
      await expect(neighbours.ask(Notifications.clear, user, {})).resolves.toEqual({ count: 2 });
      expect((await list(user)).total).toBe(0);
    });

    it("another's notification is answered like an unknown one, and stays", async () => {
      const [owner, stranger] = [await withThree(), person()];
      const [newest] = (await list(owner)).items;
      const id = newest?.id ?? 0;
      for (const contract of [Notifications.read, Notifications.remove]) {
        await expect(
          neighbours.ask<{ id: number }, unknown, 'user'>(contract, stranger, { id }),
        ).rejects.toMatchObject({ code: 'NOT_FOUND' });
      }
      await expect(neighbours.ask(Notifications.clear, stranger, {})).resolves.toEqual({
        count: 0,
      });
      expect((await list(owner, { is_read: false })).total).toBe(3);
    });
  });

  describe('a reader whose language is not known here', () => {
    it('gets the notifications in it, in their order, once identity answers', async () => {
      const user = person('ru');
      away.add(user);
      await neighbours.publish(userEmailVerified, user, { user_id: user });
      await neighbours.publish(mentorApproved, user, { mentor_id: 1, user_id: user });
      await say(1, 77, person(), [user]);
      await caughtUp();
      expect((await list(user)).items).toEqual([]);

      away.delete(user);
      clock.advance(retryMs);
      await notified(user, 'new_message');
      const { items } = await list(user);
      expect(items.map(({ type }) => type)).toEqual([
        'new_message',
        'mentor_approved',
        'email_verified',
      ]);
      expect(items.map(({ title }) => title).join()).toMatch(/^[^a-z]*Ada[^a-z]*$/);
      expect(items).toHaveLength(3);
    });

    it('and about whom identity is silent delays no other, and keeps no transaction open', async () => {
      const began = performance.now();
      const readers = Array.from({ length: 12 }, silentPerson);
      for (const user of readers) {
        await neighbours.publish(userEmailVerified, user, { user_id: user });
      }
      await expect.poll(() => endSilence.length).toBeGreaterThan(0);
      // Those that wait for nobody end in a moment, long before identity is given up.
      await expect.poll(openTransactions).toBe(0);

      const other = person();
      await neighbours.publish(userEmailVerified, other, { user_id: other });
      await notified(other, 'email_verified');
      // One after the other, those before would keep two replicas for 8 s and more.
      expect(performance.now() - began).toBeLessThan(6500);
    });

    it('gets one notification of a chat, however many messages wait', async () => {
      const [sender, reader] = [person(), person()];
      away.add(reader);
      for (const message of [1, 2, 3]) await say(message, 78, sender, [reader]);
      await caughtUp();
      away.delete(reader);
      clock.advance(retryMs);
      await notified(reader, 'new_message');
      expect((await list(reader)).items).toMatchObject([{ data: { message_id: 1 } }]);
    });
  });

  describe('the mailer', () => {
    it('sends all other mails while identity is silent about some', async () => {
      const quiet = silentPerson();
      const user = person();
      await queueMails(quiet, 14);
      await queueMails(user, 20);
      for (const replica of replicas) replica.app.get(Mailer).nudge();
      await expect
        .poll(async () => (await mailsOf(user)).filter(({ state }) => state === 'sent').length, {
          timeout: 15_000,
        })
        .toBe(20);
      // Their requests have not even ended.
      expect((await mailsOf(quiet)).every(({ failure }) => failure === null)).toBe(true);
    });

    it('waits for identity and sends when it is back', async () => {
      const user = person();
      away.add(user);
      await neighbours.publish(userMailRequested, user, verification(user));
      await eventually('a failed attempt', async () =>
        (await mailsOf(user)).find(({ failure }) => failure === 'SERVICE_UNAVAILABLE'),
      );
      expect(await mailsOf(user)).toMatchObject([{ state: 'queued', attempts: 1 }]);

      away.delete(user);
      clock.advance(retryDelaysMs[0]);
      await mailTo(user, /Confirm your email address/);
    });

    it('gives up after the last attempt and logs it', async () => {
      const user = person();
      away.add(user);
      await neighbours.publish(userMailRequested, user, verification(user));
      for (const [index, delay] of retryDelaysMs.entries()) {
        await eventually(`attempt ${index + 1}`, async () =>
          (await mailsOf(user)).find(({ attempts, failure }) => attempts > index && failure),
        );
        // The failure of the next attempt is to be seen once it is stored, and with it when to try again.
        await data.query('UPDATE mails SET failure = NULL WHERE user_id = $1', [user]);
        clock.advance(delay);
      }
      await eventually('the end', async () =>
        (await mailsOf(user)).find(({ state }) => state === 'failed'),
      );
      expect(await published('notifications.delivery.failed', user)).toEqual([
        { user_id: user, channel: 'mail', template: 'verify_email' },
      ]);
      const line = await eventually('the line of the log', () => logged('error', user));
      expect(line).toContain('SERVICE_UNAVAILABLE');
    });

    it('does not try again for a user who is gone', async () => {
      const user = ++lastUser;
      await neighbours.publish(userMailRequested, user, verification(user));
      const gone = await eventually('the end', async () =>
        (await mailsOf(user)).find(({ state }) => state === 'failed'),
      );
      expect(gone).toEqual({ state: 'failed', attempts: 1, failure: 'NOT_FOUND' });
      const line = await eventually('the line of the log', () => logged('log', user));
      expect(line).toContain('NOT_FOUND');
      expect(logged('error', user)).toBeUndefined();
    });

    it('a hundred mails and two replicas: each mail is sent once', async () => {
      const user = person();
      await data.query(
        `INSERT INTO mails (user_id, template, params, next_attempt_at, created_at)
         SELECT $1, 'mentor_approved', '{}', $2, $2 FROM generate_series(1, 100)`,
        [user, clock.now()],
      );
      for (const replica of replicas) replica.app.get(Mailer).nudge();
      await expect
        .poll(async () => (await mailsOf(user)).filter(({ state }) => state === 'sent').length, {
          timeout: 15_000,
        })
        .toBe(100);
      const transport = service().app.get(MailTransport);
      expect(transport).toBeInstanceOf(LogTransport);
      const { items } = await neighbours.ask(DevMail.list, undefined, {
        to: `user${user}@example.com`,
      });
      expect(items).toHaveLength(100);
      expect(new Set((await mailsOf(user)).map(({ attempts }) => attempts))).toEqual(new Set([1]));
    });

    it('a mail whose sender died is sent by another after its lease', async () => {
      const user = person();
      await data.query(
        `INSERT INTO mails (user_id, template, params, attempts, next_attempt_at, created_at)
         VALUES ($1, 'mentor_approved', '{}', 1, $2, now())`,
        [user, new Date(clock.now().getTime() + 120_000)],
      );
      clock.advance(120_000);
      await expect(mailTo(user, /You are a mentor now/)).resolves.toMatchObject({
        to: `user${user}@example.com`,
      });
    });
  });

  it('captured mails are shown in the local profile only', async () => {
    const production = await start({ PROFILE: 'production', MAIL_TRANSPORT: 'log' });
    await Promise.all(replicas.splice(0).map((replica) => replica.close()));
    replicas = [production];
    await expect(neighbours.ask(DevMail.list, undefined, {})).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

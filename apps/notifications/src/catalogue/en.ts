import type { Catalogue } from './catalogue-entries.js';

const notYou =
  'If it was not you, change your password and sign out all devices at once, in the settings of your account.';

/** Other ways in would stay open: what was added goes first. */
function notYouFirst(remove: string): string {
  return `If it was not you, ${remove} in your settings first, then change your password and sign out all devices. Where that is not possible, write to the support.`;
}

export const en: Catalogue = {
  notifications: {
    welcome: ({ name }) => ({
      title: `Welcome to MentorHub, ${name}!`,
      body: 'Find a mentor, book a session and learn from people who have done it before. Please confirm your email address with the link in the mail we sent you.',
    }),
    email_verified: () => ({
      title: 'Your email address is confirmed',
      body: 'Thank you. You will hear about your sessions at this address.',
    }),
    new_sign_in: ({ browser, os, network, happened_at }, formats) => ({
      title: 'New sign-in to your account',
      body: `${device(browser, os)}, from the network ${network}, on ${formats.dateTime(happened_at)}. If this was not you, sign that device out in your settings and change your password.`,
    }),
    refresh_token_reused: ({ browser, os, network, happened_at }, formats) => ({
      title: 'A device was signed out for your safety',
      body: `${device(browser, os)}, last used from the network ${network}: on ${formats.dateTime(happened_at)}, its sign-in was used a second time, so somebody may have copied it. Sign in again, and if you notice anything unusual, change your password.`,
    }),
    provider_linked: ({ provider_name }) => ({
      title: `You can now sign in with ${provider_name}`,
      body: `${provider_name} was linked to your account. If this was not you, unlink it in your settings and change your password.`,
    }),
    provider_unlinked: ({ provider_name }) => ({
      title: `${provider_name} was unlinked`,
      body: `You can no longer sign in with ${provider_name}. If this was not you, change your password.`,
    }),
    totp_enabled: () => ({
      title: 'An authenticator app was set up',
      body: sentences(
        'From now on signing in to your account needs a second step: a code of the app, a recovery code or a passkey.',
        notYouFirst('turn the app off'),
      ),
    }),
    totp_disabled: ({ second_step }) => ({
      title: 'The authenticator app was removed',
      body: sentences(
        second_step
          ? 'The second step of signing in is now a passkey or a recovery code.'
          : 'Signing in to your account does not need a second step any more.',
        notYou,
      ),
    }),
    passkey_added: () => ({
      title: 'A passkey was added',
      body: sentences(
        'It signs in to your account alone, and every other way to sign in needs a second step.',
        notYouFirst('delete the passkey'),
      ),
    }),
    passkey_removed: ({ second_step }) => ({
      title: 'A passkey was removed',
      body: sentences(
        !second_step && 'Signing in to your account does not need a second step any more.',
        notYou,
      ),
    }),
    recovery_code_used: ({ left }, formats) => ({
      title: 'A recovery code was used',
      body: sentences(
        `You have ${formats.count(left, { one: 'recovery code', other: 'recovery codes' })} left.`,
        left <= 3 && 'Make new ones in time, in the settings of your account.',
        notYou,
      ),
    }),
    recovery_codes_replaced: () => ({
      title: 'New recovery codes were made',
      body: sentences('The recovery codes you had before do not work any more.', notYou),
    }),
    sign_in_codes_guessed: () => ({
      title: 'Somebody is trying to sign in to your account',
      body: sentences(
        'They passed the first step of signing in, and then gave ten wrong codes of the authenticator app. Nobody was signed in.',
        notYou,
      ),
    }),
    email_changed: () => ({
      title: 'Your email address was changed',
      body: 'Your account has another email address now. If that was not you, open the mail that we sent to the old address: its link undoes the change.',
    }),
    password_changed: () => ({
      title: 'Your password was changed',
      body: 'Other devices were signed out. If that was not you, somebody else knew your password or reads your mail: set a new password at once with “Forgot password”, and secure your mailbox.',
    }),
    session_requested: ({ mentee_name, topic, starts_at }, formats) => ({
      title: `${mentee_name} asks for a session`,
      body: `“${topic}” on ${formats.dateTime(starts_at)}. Please confirm it, so that both of you can plan.`,
    }),
    session_confirmed: ({ mentor_name, topic, starts_at }, formats) => ({
      title: `${mentor_name} confirmed your session`,
      body: `“${topic}” takes place on ${formats.dateTime(starts_at)}.`,
    }),
    session_cancelled: (
      { other_name, cancelled_by, topic, starts_at, reason, refund_minor, currency },
      formats,
    ) => ({
      title: `${other_name} cancelled your session`,
      body: sentences(
        `Your ${cancelled_by} cancelled “${topic}” on ${formats.dateTime(starts_at)}.`,
        reason && `Reason: “${reason}”.`,
        refund_minor > 0 && `You get ${formats.money(refund_minor, currency)} back.`,
      ),
    }),
    session_expired: (
      { mentor_name, topic, starts_at, unpaid, refund_minor, currency },
      formats,
    ) => ({
      title: `Your session with ${mentor_name} has expired`,
      body: sentences(
        `“${topic}” on ${formats.dateTime(starts_at)} was not ${unpaid ? 'paid' : 'confirmed'} in time, so the slot is free again.`,
        refund_minor > 0 && `You get ${formats.money(refund_minor, currency)} back.`,
      ),
    }),
    session_completed: ({ other_name, topic, role }) => ({
      title: `Your session with ${other_name} is complete`,
      body:
        role === 'mentee'
          ? `How was “${topic}”? A review helps your mentor and other mentees.`
          : `Thank you for your time and for “${topic}”.`,
    }),
    session_missed: (
      { other_name, role, absent_party, topic, starts_at, price_minor, refund_minor, currency },
      formats,
    ) => ({
      title:
        role === absent_party
          ? `${other_name} reports that you missed your session`
          : `Your session with ${other_name} is recorded as missed`,
      body: sentences(
        `“${topic}” on ${formats.dateTime(starts_at)} did not take place, because the ${absent_party} was absent.`,
        refund_minor > 0 &&
          `${role === 'mentee' ? 'You get' : 'The mentee gets'} ${formats.money(refund_minor, currency)} back.`,
        price_minor > 0 && refund_minor === 0 && 'The price is not refunded.',
      ),
    }),
    meeting_link_added: ({ mentor_name, topic, starts_at }, formats) => ({
      title: `${mentor_name} added the meeting link`,
      body: `“${topic}” on ${formats.dateTime(starts_at)}: you find the link in your session.`,
    }),
    new_message: ({ sender_name }) => ({
      title: `New message from ${sender_name}`,
      body: 'Open the chat to read it.',
    }),
    review_received: ({ author_name, rating }, formats) => ({
      title: `${author_name} reviewed your session`,
      body: `You got ${formats.count(rating, { one: 'star', other: 'stars' })} out of 5.`,
    }),
    mentor_approved: () => ({
      title: 'You are a mentor now',
      body: 'Your application was approved. Set your weekly availability, and mentees can book you.',
    }),
    mentor_rejected: ({ reason }) => ({
      title: 'Your application as a mentor was declined',
      body: `Reason: “${reason}”.`,
    }),
    payment_received: ({ description, amount_minor, currency }, formats) => ({
      title: `Payment received: ${formats.money(amount_minor, currency)}`,
      body: `We received your payment for “${description}”.`,
    }),
    payment_failed: ({ description, amount_minor, currency }, formats) => ({
      title: 'Your payment failed',
      body: `${formats.money(amount_minor, currency)} for “${description}” could not be taken. You can try again while the slot is held for you.`,
    }),
    payment_refunded: ({ description, refunded_minor, currency }, formats) => ({
      title: `Refund: ${formats.money(refunded_minor, currency)}`,
      body: `We sent you ${formats.money(refunded_minor, currency)} back for “${description}”.`,
    }),
  },
  mails: {
    account: {
      verify_email: (formats) => ({
        subject: 'Confirm your email address',
        paragraphs: [
          'Please confirm that this email address is yours.',
          `The link works once, for ${formats.count(24, { one: 'hour', other: 'hours' })}. If you did not sign up at MentorHub, ignore this mail.`,
        ],
        action: 'Confirm email address',
      }),
      reset_password: (formats) => ({
        subject: 'Set a new password',
        paragraphs: [
          'Somebody, probably you, asked for a new password for your account.',
          `The link works once, for ${formats.count(1, { one: 'hour', other: 'hours' })}. If you did not ask for it, ignore this mail: your password stays as it is.`,
        ],
        action: 'Set a new password',
      }),
      confirm_email_change: (formats) => ({
        subject: 'Confirm your new email address',
        paragraphs: [
          'This address is to become that of an account at MentorHub. Please confirm that both are yours.',
          `The link works once, for ${formats.count(24, { one: 'hour', other: 'hours' })}, where you are signed in. If you did not ask for it, ignore this mail.`,
        ],
        action: 'Confirm new address',
      }),
      undo_email_change: (formats) => ({
        subject: 'The email address of your account was changed',
        paragraphs: [
          'Your account at MentorHub has another email address now. If that was you, there is nothing to do.',
          `If it was not, undo it within ${formats.count(72, { one: 'hour', other: 'hours' })}: the account gets this address back, all devices are signed out, and you can set a new password. What was added to sign in with shortly before the change or since does not work any more then. If you sign in with a second step, make new recovery codes after that.`,
        ],
        action: 'Undo the change',
      }),
      sign_in_code: (formats, { code = '' }) => ({
        subject: 'Sign in to MentorHub',
        paragraphs: [
          `Your code: ${code}`,
          `Code and link work once, for ${formats.count(10, { one: 'minute', other: 'minutes' })}, in the browser that asked for them. If you did not ask for them, ignore this mail, and give the code to nobody.`,
        ],
        action: 'Sign in',
      }),
      reauthentication_code: (formats, { code = '' }) => ({
        subject: 'Confirm that it is you',
        paragraphs: [
          `Your code: ${code}`,
          `It works once, for ${formats.count(10, { one: 'minute', other: 'minutes' })}, where you are signed in. If you did not ask for it, sign out all devices, and give the code to nobody.`,
        ],
        action: 'Open MentorHub',
      }),
    },
    greeting: (name) => (name === undefined ? 'Hello,' : `Hello ${name},`),
    open: 'Open MentorHub',
    orCopy: 'Or copy this address into your browser:',
    signature: 'Your MentorHub team',
    whyReceived: 'You get this mail because you have an account at MentorHub.',
    whyNamed: 'You get this mail because somebody, probably you, gave this address to MentorHub.',
  },
};

function device(browser: string | null, os: string | null): string {
  if (browser === null) return os ?? 'An unknown device';
  return os === null ? browser : `${browser} on ${os}`;
}

function sentences(...parts: (string | false | null)[]): string {
  return parts.filter(Boolean).join(' ');
}

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  Actor,
  type ActorSocket,
  type Credentials,
  eventually,
  type Exchange,
  mailTo,
  verificationToken,
} from '@mentorhub/testing';

export interface StoryOptions {
  /** Where the edge listens, `http://localhost:8000`. */
  baseUrl: string;
  /** An account with the role admin. */
  admin: Credentials;
  /** Called with every exchange, for a transcript. */
  record?: (exchange: Exchange) => void;
}

/** One scene of the story: a sentence, and what happens in it. */
export interface Scene {
  title: string;
  play: () => Promise<void>;
}

interface Slot {
  starts_at: string;
  ends_at: string;
}

interface SessionView {
  id: number;
  status: string;
  booking_status: string;
  payment_status: string;
  payment_url: string | null;
  meeting_url: string | null;
  version: number;
}

interface NotificationView {
  type: string;
  title: string;
  data: Record<string, unknown>;
}

interface Items<Item> {
  items: Item[];
}

/**
 * The main job of the product from end to end: a mentee finds a mentor, books, pays, talks and meets. Each run uses
 * people of its own, so that it can be repeated against the same system.
 */
export function story({ baseUrl, admin: adminCredentials, record }: StoryOptions): Scene[] {
  const run = randomUUID().slice(0, 8);
  const password = 'a long password for the scenes';
  const mailbox = (name: string): string => `${name}.${run}@story.example`;

  const mentee = new Actor(baseUrl, 'mentee', record);
  const mentor = new Actor(baseUrl, 'mentor', record);
  const rival = new Actor(baseUrl, 'second mentee', record);
  const admin = new Actor(baseUrl, 'admin', record);
  let menteeSocket: ActorSocket;
  let mentorSocket: ActorSocket;
  let mentorId = 0;
  let slot: Slot;
  let session: SessionView;

  async function joins(actor: Actor, name: string, fullName: string, role: string): Promise<void> {
    const email = mailbox(name);
    const user = await actor.post<{ id: number; email_verified: boolean }>(
      '/api/v1/auth/register',
      { email, password, full_name: fullName, role, timezone: 'Europe/Berlin', locale: 'en' },
      { expect: 201 },
    );
    assert.equal(user.email_verified, false);

    const token = await verificationToken(baseUrl, email);
    // The link alone proves the mailbox, not that the account belongs to its reader.
    await actor.post('/api/v1/email/verify-email', { token }, { expect: 401 });
    await actor.signIn({ email, password });
    await actor.post('/api/v1/email/verify-email', { token }, { expect: 200 });
    await actor.post('/api/v1/email/verify-email', { token }, { expect: 422 });
    const profile = await actor.get<{ email_verified: boolean }>('/api/v1/users/me');
    assert.equal(profile.email_verified, true);
  }

  /** The stored notification, the live frame and, where one is due, the mail. */
  async function isNotified(
    actor: Actor,
    socket: ActorSocket,
    type: string,
    mail?: { to: string; about: RegExp },
  ): Promise<void> {
    const stored = await eventually(`the notification ${type} of the ${actor.name}`, async () => {
      const { items } = await actor.get<Items<NotificationView>>(
        `/api/v1/notifications?type=${type}`,
      );
      return items[0];
    });
    assert.equal(stored.type, type);
    await socket.frameWhere(
      `the frame about ${type}`,
      (frame) =>
        frame.type === 'notification' && (frame.notification as NotificationView).type === type,
    );
    if (mail) await mailTo(baseUrl, mail.to, mail.about);
  }

  const currentSession = (): Promise<SessionView> =>
    mentee.get<SessionView>(`/api/v1/sessions/${session.id}`);

  return [
    {
      title: 'A mentee registers and verifies the email address with the link from the mail',
      play: () => joins(mentee, 'mentee', 'Mia Mentee', 'student'),
    },
    {
      title: 'A mentor registers and applies',
      play: async () => {
        await joins(mentor, 'mentor', 'Max Mentor', 'mentor');
        const application = await mentor.post<{ id: number; status: string }>(
          '/api/v1/mentors/apply',
          {
            title: 'Senior Python Developer',
            description: 'Ten years of Python, from scripts to services.',
            skills: ['Python', 'Django', 'PostgreSQL'],
            price_per_hour: 3000,
            timezone: 'Europe/Berlin',
          },
          { expect: 201 },
        );
        assert.equal(application.status, 'pending');
        mentorId = application.id;
        await new Actor(baseUrl, 'visitor', record).get(`/api/v1/mentors/${mentorId}`, {
          expect: 404,
        });
      },
    },
    {
      title: 'An admin approves the mentor',
      play: async () => {
        await admin.signIn(adminCredentials);
        const approved = await admin.post<{ status: string }>(
          `/api/v1/admin/mentors/${mentorId}/approve`,
          {},
          { expect: 200 },
        );
        assert.equal(approved.status, 'approved');
      },
    },
    {
      title: 'The mentor sets weekly availability in Europe/Berlin',
      play: async () => {
        const rules = [1, 2, 3, 4, 5].map((day_of_week) => ({
          day_of_week,
          start_time: '09:00',
          end_time: '18:00',
          is_recurring: true,
        }));
        const availability = await mentor.post<{ timezone: string; rules: unknown[] }>(
          '/api/v1/mentorship/availability/me/',
          { timezone: 'Europe/Berlin', rules },
          { expect: 200 },
        );
        assert.equal(availability.timezone, 'Europe/Berlin');
        assert.equal(availability.rules.length, 5);
      },
    },
    {
      title: 'The mentee lists mentors and sees free slots',
      play: async () => {
        const list = await mentee.get<Items<{ id: number }>>(
          '/api/v1/mentors?skill=python&sort=newest',
        );
        assert.ok(
          list.items.some(({ id }) => id === mentorId),
          'the new mentor is listed',
        );
        const { slots, timezone } = await mentee.get<{ timezone: string; slots: Slot[] }>(
          `/api/v1/mentors/${mentorId}/slots?duration_minutes=60`,
        );
        assert.equal(timezone, 'Europe/Berlin');
        const chosen = slots[Math.floor(slots.length / 2)];
        assert.ok(chosen, 'there is a free slot');
        slot = chosen;
      },
    },
    {
      title: 'Both open their WebSocket',
      play: async () => {
        menteeSocket = await mentee.openSocket();
        mentorSocket = await mentor.openSocket();
      },
    },
    {
      title: 'The mentee books a slot',
      play: async () => {
        session = await mentee.post<SessionView>(
          '/api/v1/sessions',
          {
            mentor_id: mentorId,
            scheduled_at: slot.starts_at,
            duration_minutes: 60,
            topic: 'Preparing for an interview',
            notes: 'I need help with algorithms.',
          },
          { expect: 201 },
        );
        assert.equal(session.status, 'scheduled');
        assert.equal(session.booking_status, 'pending');
        assert.equal(session.payment_status, 'unpaid');
      },
    },
    {
      title: 'A second mentee tries the same slot and is offered others',
      play: async () => {
        await joins(rival, 'rival', 'Rita Rival', 'student');
        const refusal = await rival.post<{ alternatives: Slot[]; status_code: number }>(
          '/api/v1/sessions',
          {
            mentor_id: mentorId,
            scheduled_at: slot.starts_at,
            duration_minutes: 60,
            topic: 'The same hour',
          },
          { expect: 409 },
        );
        assert.equal(refusal.status_code, 409);
        assert.equal(refusal.alternatives.length, 3);
      },
    },
    {
      title: "The mentee pays on the sandbox provider's page",
      play: async () => {
        assert.ok(session.payment_url, 'the booking says where to pay');
        // The address is made for browsers outside; here the system may listen on another port.
        const address = new URL(new URL(session.payment_url).pathname, baseUrl).href;
        const page = await fetch(address, { headers: { 'accept-language': 'en' } });
        assert.equal(page.status, 200);
        assert.match(await page.text(), /3,000/);
        await mentee.submitForm(address, { outcome: 'succeed' });
      },
    },
    {
      title: 'The payment event marks the booking paid',
      play: async () => {
        session = await eventually('the booking to be paid', async () => {
          const current = await currentSession();
          return current.payment_status === 'paid' ? current : undefined;
        });
        assert.equal(session.payment_url, null);
        await isNotified(mentee, menteeSocket, 'payment_received', {
          to: mailbox('mentee'),
          about: /payment/i,
        });
        await isNotified(mentor, mentorSocket, 'session_requested', {
          to: mailbox('mentor'),
          about: /session/i,
        });
      },
    },
    {
      title: 'The mentor confirms the booking',
      play: async () => {
        const { items } = await mentor.get<Items<{ id: number; booking_version: number }>>(
          '/api/v1/mentorship/bookings/?role=mentor&status=pending',
        );
        const booking = items.find(({ id }) => id === session.id);
        assert.ok(booking, 'the mentor sees the booking');
        const confirmed = await mentor.patch<{ status: string }>(
          `/api/v1/mentorship/bookings/${session.id}/update_status/`,
          { status: 'confirmed', booking_version: booking.booking_version },
          { expect: 200 },
        );
        assert.equal(confirmed.status, 'confirmed');
        await isNotified(mentee, menteeSocket, 'session_confirmed', {
          to: mailbox('mentee'),
          about: /confirmed/i,
        });
      },
    },
    {
      title: 'The mentor adds a meeting link',
      play: async () => {
        const linked = await mentor.patch<{ meeting_url: string }>(
          `/api/v1/mentorship/bookings/${session.id}/add_meeting_link/`,
          { meeting_link: 'https://zoom.us/j/1234567890', meeting_platform: 'zoom' },
          { expect: 200 },
        );
        assert.equal(linked.meeting_url, 'https://zoom.us/j/1234567890');
        await isNotified(mentee, menteeSocket, 'meeting_link_added', {
          to: mailbox('mentee'),
          about: /link/i,
        });
      },
    },
    {
      title: 'They chat: message, ack, message on the other side, read receipt back',
      play: async () => {
        const clientId = randomUUID();
        menteeSocket.send({
          type: 'message',
          recipient_id: mentor.userId,
          content: 'Hello! Ready for our session.',
          client_id: clientId,
        });
        const ack = await menteeSocket.frame('ack', { client_id: clientId });
        const message = await mentorSocket.frame('message', { id: ack.id });
        assert.equal(message.content, 'Hello! Ready for our session.');
        assert.equal(message.sender_id, mentee.userId);
        mentorSocket.send({ type: 'read', message_id: message.id });
        const receipt = await menteeSocket.frame('read', { message_id: message.id });
        assert.equal(receipt.user_id, mentor.userId);
        const { items } =
          await mentor.get<Items<{ unread_count: number }>>('/api/v1/messages/chats');
        assert.equal(items[0]?.unread_count, 0);
      },
    },
    {
      title: "The mentee's list shows the session with its link",
      play: async () => {
        const { items } = await mentee.get<Items<SessionView>>('/api/v1/sessions?status=scheduled');
        const listed = items.find(({ id }) => id === session.id);
        assert.equal(listed?.booking_status, 'confirmed');
        assert.equal(listed?.meeting_url, 'https://zoom.us/j/1234567890');
        menteeSocket.close();
        mentorSocket.close();
      },
    },
  ];
}

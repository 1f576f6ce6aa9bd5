import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Actor,
  type ActorSocket,
  type Credentials,
  eventually,
  verificationToken,
} from '@mentorhub/testing';
import { becomesMentor } from './people.js';

/** What the system has acknowledged, each in the order in which it did. */
export interface Acknowledged {
  /** The ids that their sender gave to all messages, acknowledged or not. */
  written: Set<string>;
  /** Of messages, by the ids that their sender gave them. */
  messages: Map<string, { id: number; senderId: number; content: string }>;
  /** Ids of bookings. */
  bookings: number[];
  /** Ids of the bookings for which the page of the payment provider reported success. */
  paid: number[];
  accounts: (Credentials & { id: number })[];
}

interface Slot {
  starts_at: string;
}

const copyOf = ({ written, messages, bookings, paid, accounts }: Acknowledged): Acknowledged => ({
  written: new Set(written),
  messages: new Map(messages),
  bookings: [...bookings],
  paid: [...paid],
  accounts: [...accounts],
});

/** As happens on a busy machine. What has no answer is not acknowledged. */
const isUnanswered = (error: unknown): boolean => / answered 50[34] /.test(String(error));

async function patiently<T>(act: () => Promise<T>): Promise<T> {
  return await eventually(
    'an answer',
    () =>
      act().catch((error: unknown) => {
        if (isUnanswered(error)) return undefined;
        throw error;
      }),
    60_000,
  );
}

/**
 * People who write, book, pay and sign up all the time, through the edge of a system with the settings of `try.yml` and
 * `load.yml`.
 */
export class Load {
  readonly mentor: Actor;
  readonly mentees: readonly Actor[];
  private readonly acknowledged: Acknowledged = {
    written: new Set(),
    messages: new Map(),
    bookings: [],
    paid: [],
    accounts: [],
  };
  private readonly sockets = new Map<Actor, ActorSocket>();
  private slots: Slot[] = [];
  private mentorId = 0;
  private running?: Promise<unknown>;
  private stopping = false;

  constructor(
    private readonly baseUrl: string,
    private readonly admin: Credentials,
    mentees = 3,
  ) {
    this.mentor = new Actor(baseUrl, 'mentor');
    this.mentees = Array.from({ length: mentees }, (_, n) => new Actor(baseUrl, `mentee${n}`));
  }

  /** What has been acknowledged so far. */
  facts(): Acknowledged {
    return copyOf(this.acknowledged);
  }

  /** Somebody with a verified email address who is signed in. */
  async join(actor: Actor, role = 'student'): Promise<Credentials> {
    const credentials = await patiently(() => this.register(actor.name, role));
    await patiently(async () => {
      await actor.signIn(credentials);
      return true;
    });
    const token = await verificationToken(this.baseUrl, credentials.email);
    await actor.post('/api/v1/email/verify-email', { token }, { expect: 200 });
    return credentials;
  }

  /** Opens the accounts, and a mentor's calendar; what is needed before `start`. */
  async prepare(): Promise<void> {
    await this.join(this.mentor, 'mentor');
    const admin = new Actor(this.baseUrl, 'admin');
    await patiently(async () => {
      await admin.signIn(this.admin);
      return true;
    });
    this.mentorId = await becomesMentor(this.mentor, admin);
    for (const mentee of this.mentees) await this.join(mentee);
    const address = `/api/v1/mentors/${this.mentorId}/slots?duration_minutes=30`;
    ({ slots: this.slots } = await this.mentor.get<{ slots: Slot[] }>(address));
    for (const mentee of this.mentees) this.sockets.set(mentee, await mentee.openSocket());
  }

  /** Goes on until `stop`. */
  start(): void {
    const each = this.mentees.flatMap((mentee) => [
      this.repeat(() => this.write(mentee), 250),
      this.repeat(() => this.bookAndPay(mentee), 200),
    ]);
    this.running = Promise.all([...each, this.repeat(() => this.signUp(), 500)]);
  }

  /** Lets everybody finish. @throws what went wrong for one of them */
  async stop(): Promise<Acknowledged> {
    this.stopping = true;
    await this.running;
    for (const socket of this.sockets.values()) socket.close();
    return this.facts();
  }

  private async repeat(act: () => Promise<void>, pauseMs: number): Promise<void> {
    while (!this.stopping) {
      try {
        await act();
      } catch (error) {
        if (!isUnanswered(error)) throw error;
      }
      await delay(pauseMs);
    }
  }

  private async write(mentee: Actor): Promise<void> {
    const clientId = randomUUID();
    const content = `Message ${clientId} of ${mentee.name}`;
    const socket = this.sockets.get(mentee);
    this.acknowledged.written.add(clientId);
    socket?.send({
      type: 'message',
      recipient_id: this.mentor.userId,
      content,
      client_id: clientId,
    });
    const ack = await socket?.frame('ack', { client_id: clientId }, 60_000);
    this.acknowledged.messages.set(clientId, {
      id: Number(ack?.id),
      senderId: mentee.userId,
      content,
    });
  }

  private async bookAndPay(mentee: Actor): Promise<void> {
    const slot = this.slots.shift();
    if (!slot) return;
    const booking = await mentee.post<{ id: number; payment_url: string }>('/api/v1/sessions', {
      mentor_id: this.mentorId,
      scheduled_at: slot.starts_at,
      duration_minutes: 30,
      topic: 'Preparing for an interview',
    });
    this.acknowledged.bookings.push(booking.id);
    // Made for browsers outside; this client connects elsewhere.
    const page = new URL(new URL(booking.payment_url).pathname, this.baseUrl).href;
    await mentee.submitForm(page, { outcome: 'succeed' });
    this.acknowledged.paid.push(booking.id);
  }

  private async signUp(): Promise<void> {
    await this.register(`newcomer${this.acknowledged.accounts.length}`, 'student');
  }

  private async register(name: string, role: string): Promise<Credentials> {
    // A request without an answer may have opened the account.
    const email = `${name}.${randomUUID().slice(0, 8)}@load.example`;
    const password = `a long password ${randomUUID()}`;
    const user = await new Actor(this.baseUrl, name).post<{ id: number }>('/api/v1/auth/register', {
      email,
      password,
      full_name: 'Somebody New',
      role,
      timezone: 'Europe/Berlin',
      locale: 'en',
    });
    this.acknowledged.accounts.push({ id: user.id, email, password });
    return { email, password };
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Actor } from '@mentorhub/testing';

interface Session {
  id: number;
  price: number;
}

export interface RestLoadOptions {
  people: readonly Actor[];
  /** Profiles that are read and booked. */
  mentorIds: readonly number[];
  /** Free slots, each taken once. */
  slots: { mentorId: number; startsAt: string }[];
  /** Who books; not the mentors. */
  books: (index: number) => boolean;
  /** How often each person sends a request, in milliseconds. */
  everyMs: number;
  /** Neighbours write to each other. */
  partnerOf: (index: number) => Actor;
}

/** What was written and acknowledged. */
export interface Written {
  /** Ids of messages, by the index of who sent them. */
  messages: Map<number, number[]>;
  /** Ids of sessions, by the index of who booked, paid and cancelled them. */
  sessions: Map<number, number[]>;
}

/** People who read and write over REST, each with one request at a time, none of which is repeated. */
export class RestLoad {
  readonly failures: string[] = [];
  readonly written: Written = { messages: new Map(), sessions: new Map() };
  /** Requests by method and pattern of the path. */
  readonly counts = new Map<string, number>();
  private running = true;
  private readonly done: Promise<unknown>;
  private longestMs = 0;

  constructor(private readonly options: RestLoadOptions) {
    this.done = Promise.all(options.people.map((person, index) => this.live(person, index)));
  }

  get count(): number {
    return [...this.counts.values()].reduce((sum, one) => sum + one, 0);
  }

  /** The longest that a request took, in milliseconds. */
  get slowestMs(): number {
    return Math.round(this.longestMs);
  }

  /** Resolves when the requests in flight are answered. */
  async stop(): Promise<void> {
    this.running = false;
    await this.done;
  }

  private async live(person: Actor, index: number): Promise<void> {
    const { everyMs } = this.options;
    await delay((everyMs * index) / this.options.people.length);
    for (let turn = index; this.running; turn += 1) {
      await this.act(person, index, turn);
    }
  }

  /** Sends the next request when it is due; undefined when it failed. */
  private async send<Body>(
    person: Actor,
    method: string,
    path: string,
    body?: unknown,
    expect?: number,
  ): Promise<Body | undefined> {
    const key = `${method} ${path.replaceAll(/\/(?:\d+|pm_\w+)(?=\/|$)/g, '/:id').replace(/\?.*/, '')}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    const start = performance.now();
    try {
      return (await person.call<Body>(method, path, body, { expect })).body;
    } catch (error) {
      this.failures.push(`${new Date().toISOString()} ${String(error)}`);
      return undefined;
    } finally {
      const took = performance.now() - start;
      this.longestMs = Math.max(this.longestMs, took);
      await delay(Math.max(0, this.options.everyMs - took));
    }
  }

  private async act(person: Actor, index: number, turn: number): Promise<void> {
    const { mentorIds } = this.options;
    const mentorId = mentorIds[turn % mentorIds.length];
    const read = (path: string): Promise<unknown> => this.send(person, 'GET', path);
    switch (turn % 16) {
      case 0:
        await read('/api/v1/users/me');
        return;
      case 1:
        await read('/api/v1/mentors?skill=python&sort=newest');
        return;
      case 2:
        await read(`/api/v1/mentors/${mentorId}`);
        return;
      case 3:
      case 11:
        await this.writeMessage(person, index);
        return;
      case 4:
        await read('/api/v1/notifications');
        return;
      case 5:
        await read('/api/v1/messages/chats');
        return;
      case 6:
        await this.send(person, 'PATCH', '/api/v1/users/me', { full_name: `Person at ${turn}` });
        return;
      case 7:
        await read('/api/v1/sessions');
        return;
      case 8:
        await read('/api/v1/payments/history');
        return;
      case 9:
        if (this.options.books(index)) await this.book(person, index);
        return;
      case 10:
        await read('/api/v1/notifications/unread-count');
        return;
      case 12:
        await this.send(person, 'POST', '/api/v1/notifications/mark-all-read', {});
        return;
      case 13:
        await read(`/api/v1/mentors/${mentorId}/slots?duration_minutes=60`);
        return;
      case 14:
        await this.refresh(person);
        return;
      default:
        await read('/api/v1/auth/sessions');
    }
  }

  private async writeMessage(person: Actor, index: number): Promise<void> {
    const message = await this.send<{ id: number }>(person, 'POST', '/api/v1/messages', {
      recipient_id: this.options.partnerOf(index).userId,
      text: 'A message over REST.',
    });
    if (message) keep(this.written.messages, index, message.id);
  }

  /** Books a session, pays for it, and cancels it. */
  private async book(person: Actor, index: number): Promise<void> {
    const slot = this.options.slots.pop();
    if (!slot) return;
    const session = await this.send<Session>(person, 'POST', '/api/v1/sessions', {
      mentor_id: slot.mentorId,
      scheduled_at: slot.startsAt,
      duration_minutes: 60,
      topic: 'Rolling restarts',
    });
    if (!session) return;
    keep(this.written.sessions, index, session.id);
    const payment = await this.send<{ payment_id: string }>(
      person,
      'POST',
      '/api/v1/payments/create',
      { session_id: session.id, amount: session.price, payment_method: 'card' },
    );
    if (!payment) return;
    const outcome = `/api/v1/payments/${payment.payment_id}/sandbox`;
    await this.send(person, 'POST', outcome, { outcome: 'succeed' }, 200);
    await this.send(person, 'POST', `/api/v1/sessions/${session.id}/cancel`, {}, 200);
  }

  private async refresh(person: Actor): Promise<void> {
    const pair = await this.send<{ access_token: string; refresh_token: string }>(
      person,
      'POST',
      '/api/v1/auth/refresh',
      { refresh_token: person.refreshToken },
    );
    if (!pair) return;
    person.accessToken = pair.access_token;
    person.refreshToken = pair.refresh_token;
  }
}

function keep(map: Map<number, number[]>, index: number, id: number): void {
  const ids = map.get(index) ?? [];
  ids.push(id);
  map.set(index, ids);
}

import type { System } from '@mentorhub/local-system';
import { Actor } from '@mentorhub/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startedSystem } from './started-system.js';

interface Person {
  full_name: string;
  avatar_url: string | null;
}

interface Page<Item> {
  items: Item[];
  total: number;
}

interface Session {
  id: number;
  price: number;
  payment_status: string;
  mentor: Person;
  student: Person;
}

interface Paid {
  id: string;
  amount_minor: number;
  refunded_minor: number;
}

/** What stands behind a session that was paid, in either database. */
interface PaidSession extends Paid {
  booking_id: number;
  mentor_user_id: number;
}

describe('the demo data of the whole system', () => {
  let system: System;
  let stop: () => Promise<void>;
  let mentee: Actor;

  beforeAll(async () => {
    ({ system, stop } = await startedSystem({
      demoData: true,
      // The demo data has an administrator of its own, and wants an empty database.
      environment: { ADMIN_EMAIL: undefined, ADMIN_PASSWORD: undefined },
    }));
    const { email, password } = system.accounts.find(({ role }) => role === 'mentee')!;
    mentee = await Actor.signedIn(system.urls.edge, 'mentee', { email, password });
  }, 180_000);

  afterAll(() => stop());

  async function rows<Row extends object>(
    service: 'mentorship' | 'payments',
    query: string,
  ): Promise<Row[]> {
    const client = new Client({ connectionString: system.databases[service] });
    await client.connect();
    try {
      return (await client.query<Row>(query)).rows;
    } finally {
      await client.end();
    }
  }

  const paidSessions = (): Promise<PaidSession[]> =>
    rows(
      'mentorship',
      `SELECT b.id AS booking_id, payment_id AS id, m.user_id AS mentor_user_id,
         price_minor AS amount_minor, refunded_minor
       FROM bookings b JOIN mentors m ON m.id = b.mentor_id
       WHERE payment_status NOT IN ('unpaid', 'not_required') ORDER BY payment_id`,
    );

  it('has the same payments and refunds in mentorship and in payments, and no others', async () => {
    const payments = await rows<PaidSession>(
      'payments',
      `SELECT booking_id, p.id, mentor_user_id, p.amount_minor, refunded_minor
       FROM payments p JOIN amounts_due a ON a.id = p.amount_due_id ORDER BY p.id`,
    );
    expect(payments.length).toBeGreaterThan(300);
    expect(payments).toEqual(await paidSessions());
  });

  it('has a ledger that sums to zero and owes the mentors what was paid and not refunded', async () => {
    const [total] = await rows<{ sum: number }>(
      'payments',
      'SELECT sum(amount_minor)::int AS sum FROM ledger_entries',
    );
    expect(total?.sum).toBe(0);
    const earned = new Map<string, number>();
    for (const { mentor_user_id, amount_minor, refunded_minor } of await paidSessions()) {
      const account = `mentor:${mentor_user_id}`;
      earned.set(account, (earned.get(account) ?? 0) - amount_minor + refunded_minor);
    }
    const accounts = await rows<{ account: string; balance: number }>(
      'payments',
      `SELECT account, sum(amount_minor)::int AS balance FROM ledger_entries
       WHERE account LIKE 'mentor:%' GROUP BY account`,
    );
    expect(new Map(accounts.map(({ account, balance }) => [account, balance]))).toEqual(earned);
  });

  it('shows a mentee a history of payments that fits the sessions', async () => {
    const { items: sessions } = await mentee.get<Page<Session>>('/api/v1/sessions?limit=100');
    const { items: payments } = await mentee.get<Page<{ session_id: number; amount: number }>>(
      '/api/v1/payments/history?limit=100',
    );
    const paid = sessions.filter(
      ({ payment_status }) => !['unpaid', 'not_required'].includes(payment_status),
    );
    expect(paid.length).toBeGreaterThan(5);
    const amounts = payments.map(({ session_id, amount }): [number, number] => [
      session_id,
      amount,
    ]);
    expect(new Map(amounts)).toEqual(new Map(paid.map(({ id, price }) => [id, price])));
  });

  it('shows the same avatars in every view, and serves them', async () => {
    const { items: mentors } = await mentee.get<Page<{ id: number; user: Person }>>(
      '/api/v1/mentors?limit=100',
    );
    const avatars = new Map(mentors.map(({ user }) => [user.full_name, user.avatar_url]));
    expect([...avatars.values()].filter((url) => url === null)).toHaveLength(8);

    const { items: sessions } = await mentee.get<Page<Session>>('/api/v1/sessions?limit=100');
    const me = await mentee.get<Person>('/api/v1/users/me');
    for (const { mentor, student } of sessions) {
      expect(mentor.avatar_url).toBe(avatars.get(mentor.full_name));
      expect(student.avatar_url).toBe(me.avatar_url);
    }
    const { items: profiles } = await mentee.get<Page<{ name: string; photo_url: string | null }>>(
      '/api/v1/mentorship/mentors?limit=100',
    );
    expect(new Map(profiles.map(({ name, photo_url }) => [name, photo_url]))).toEqual(avatars);

    for (const url of [me.avatar_url, ...avatars.values()].filter((one) => one !== null)) {
      const answer = await fetch(url);
      expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
      expect(await answer.text()).toMatch(/^<svg .*<\/svg>$/);
    }
  });
});

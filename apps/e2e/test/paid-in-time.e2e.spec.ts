import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import {
  ApplicationError,
  type Caller,
  Mentors,
  Payments,
  SessionBookings,
  Users,
} from '@mentorhub/contracts';
import { workspaceRoot } from '@mentorhub/local-system';
import { Neighbours } from '@mentorhub/messaging-testing';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const person = (user_id: number) => ({
  user_id,
  username: `person${user_id}`,
  full_name: `Person ${user_id}`,
  avatar_url: null,
  email_verified: true,
});
const caller = (user_id: number, role: 'student' | 'admin' = 'student'): Caller => ({
  user_id,
  roles: [role],
  session_id: 1,
});

/** Repeats a request until its service has started. */
function whenReady<Out>(ask: () => Promise<Out>): Promise<Out> {
  return eventually('the service', async (): Promise<Out | undefined> => {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ApplicationError && error.code === 'SERVICE_UNAVAILABLE') {
        return undefined;
      }
      throw error;
    }
  });
}

/** Mentorship and payments as processes of their own; gateway and identity are the test. Needs a build. */
describe('mentorship and payments', () => {
  const mentor = caller(2);
  const mentee = caller(3);
  const running = new Map<string, ChildProcess>();
  let databases: Record<'mentorship' | 'payments', TestDatabase>;
  let nats: Awaited<ReturnType<typeof testNats>>;
  let neighbours: Neighbours;

  beforeAll(async () => {
    const [mentorship, payments, server] = await Promise.all([
      testDatabase('in_time_mentorship'),
      testDatabase('in_time_payments'),
      testNats(),
    ]);
    databases = { mentorship, payments };
    nats = server;
    neighbours = await Neighbours.connect(nats.url);
    neighbours.answer(Users.people, ({ ids }) => ({ people: ids.map(person) }));
    neighbours.answer(Users.contact, ({ user_id }) => ({
      user_id,
      full_name: `Person ${user_id}`,
      email: `person${user_id}@example.com`,
      locale: 'en',
      timezone: 'Europe/Berlin',
      email_verified: true,
    }));
    start('mentorship');
    start('payments');
  }, 60_000);

  afterAll(async () => {
    await Promise.all([...running.keys()].map((service) => stop(service)));
    await neighbours?.close();
    await nats?.stop();
    await Promise.all(Object.values(databases ?? {}).map((database) => database.drop()));
  });

  function start(service: 'mentorship' | 'payments'): void {
    const main = join(workspaceRoot, 'apps', service, 'dist', 'main.js');
    const child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        PROFILE: 'local',
        PUBLIC_URL: 'https://mentorhub.test',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        [`DATABASE_URL_${service.toUpperCase()}`]: databases[service].url,
        NATS_URL: nats.url,
        SWEEP_INTERVAL_MS: '100',
      },
      stdio: 'ignore',
    });
    running.set(service, child);
  }

  async function stop(service: string): Promise<void> {
    const child = running.get(service);
    running.delete(service);
    if (!child || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async function inMentorship<Row>(text: string, values: unknown[]): Promise<Row[]> {
    const client = new Client({ connectionString: databases.mentorship.url });
    await client.connect();
    try {
      return (await client.query(text, values)).rows as Row[];
    } finally {
      await client.end();
    }
  }

  it('keep a session that was paid in time, although mentorship was down until its hold was over', async () => {
    const daily = ['00:00-24:00'];
    const { id: mentor_id } = await whenReady(() =>
      neighbours.ask(Mentors.apply, mentor, {
        title: 'Senior Python Developer',
        description: 'Ten years of Python.',
        skills: ['Python'],
        price_per_hour: 3000,
        availability: { monday: daily, tuesday: daily, wednesday: daily, thursday: daily },
      }),
    );
    await neighbours.ask(Mentors.approve, caller(1, 'admin'), { id: mentor_id });
    const { slots } = await neighbours.ask(Mentors.slots, undefined, { id: mentor_id });
    const { id } = await neighbours.ask(SessionBookings.book, mentee, {
      mentor_id,
      scheduled_at: slots.at(-1)!.starts_at,
      duration_minutes: 60,
      topic: 'Interview',
    });
    const { payment_id } = await whenReady(() =>
      neighbours.ask(Payments.create, mentee, {
        session_id: id,
        amount: 3000,
        payment_method: 'card',
      }),
    );

    await stop('mentorship');
    await neighbours.ask(Payments.completeSandbox, mentee, { id: payment_id, outcome: 'succeed' });
    // The hold passes while mentorship is down.
    await inMentorship(
      `UPDATE bookings SET hold_expires_at = now() - interval '1 minute' WHERE id = $1`,
      [id],
    );
    start('mentorship');

    const paid = await eventually('the booking to be paid or expired', async () => {
      const session = await whenReady(() => neighbours.ask(SessionBookings.get, mentee, { id }));
      return session.payment_status === 'unpaid' && session.booking_status === 'pending'
        ? undefined
        : session;
    });
    expect(paid).toMatchObject({ booking_status: 'pending', payment_status: 'paid' });
    expect(
      await inMentorship(
        `SELECT type FROM outbox WHERE aggregate_id = $1 AND type = 'mentorship.booking.expired'`,
        [String(id)],
      ),
    ).toEqual([]);
  });
});

import {
  type Access,
  AmountsDue,
  type ApplyAsMentor,
  type BookSession,
  type Caller,
  ApplicationError,
  type EventContract,
  Mentors,
  type PaymentFact,
  paymentRefunded,
  paymentSucceeded,
  type PaymentSucceeded,
  type RequestContract,
  SessionBookings,
  type SessionView,
  Users,
} from '@mentorhub/contracts';
import type { RequestContext } from '@mentorhub/messaging';
import { Neighbours } from '@mentorhub/messaging-testing';
import { createService, FixedClock, type RunningService } from '@mentorhub/service-kit';
import { eventually, testDatabase, testNats } from '@mentorhub/testing';
import { DataSource } from 'typeorm';
import { appModule } from '../src/app.module.js';
import { BookingSweeper } from '../src/bookings/booking-sweeper.js';
import { readConfig } from '../src/config.js';

/** A Monday. */
export const startOfTest = '2026-11-23T08:00:00Z';

export interface TestMentor {
  id: number;
  actor: Caller;
}

const person = (user_id: number) => ({
  user_id,
  username: `person${user_id}`,
  full_name: `Person ${user_id}`,
  avatar_url: null,
  email_verified: true,
});

/** Mentorship over a NATS and a database of its own, with a gateway that sends requests and an identity that answers them. */
export class MentorshipFixture {
  readonly clock = new FixedClock(startOfTest);
  readonly replicas: RunningService[] = [];
  /** The requests that identity got, `people:7` or `contact:7`. */
  readonly askedIdentity: string[] = [];
  /** Users whose email address identity calls not verified. */
  readonly unverified = new Set<number>();
  private neighbours: Neighbours;
  private silenceIdentity: () => void = () => {};
  private silencePayments: () => void = () => {};
  /** Bookings whose amount due payments reports as paid. */
  readonly paidBookings = new Set<number>();
  /** Bookings for which payments answers with an error. */
  readonly failingBookings = new Set<number>();
  /** Bookings whose amount due payments has closed. */
  readonly closedBookings = new Set<number>();
  /** Zones of users that are not Europe/Berlin, as identity answers them. */
  readonly zones = new Map<number, string>();
  /** What identity waits for before it answers who people are. */
  identityAnswers = Promise.resolve();
  private cleanUps: (() => Promise<unknown>)[] = [];
  private environment: Record<string, string>;
  private lastUserId = 100;
  private lastPayment = 0;

  static async start(
    name: string,
    environment: Record<string, string> = {},
  ): Promise<MentorshipFixture> {
    const fixture = new MentorshipFixture();
    const [database, nats] = await Promise.all([testDatabase(name), testNats()]);
    fixture.cleanUps.push(
      () => database.drop(),
      () => nats.stop(),
    );
    fixture.environment = {
      PROFILE: 'local',
      PUBLIC_URL: 'https://mentorhub.test',
      MANAGEMENT_PORT: '0',
      RUN_MIGRATIONS: 'true',
      DATABASE_URL_MENTORSHIP: database.url,
      DATABASE_DIRECT_URL_MENTORSHIP: database.directUrl,
      NATS_URL: nats.url,
      // Tests decide when time acts.
      SWEEP_INTERVAL_MS: '600000',
      ...environment,
    };
    await fixture.addReplica();
    fixture.neighbours = await Neighbours.connect(nats.url);
    fixture.cleanUps.push(() => fixture.neighbours.close());
    await fixture.startIdentity();
    await fixture.startPayments();
    return fixture;
  }

  async stop(): Promise<void> {
    for (const replica of this.replicas) await replica.close();
    for (const cleanUp of this.cleanUps.toReversed()) await cleanUp();
  }

  async addReplica(environment: Record<string, string> = {}): Promise<RunningService> {
    const replica = await createService({
      name: 'mentorship',
      config: readConfig({ ...this.environment, ...environment }),
      module: appModule,
      clock: this.clock,
    });
    this.replicas.push(replica);
    return replica;
  }

  get service(): RunningService['app'] {
    return this.replicas[0]!.app;
  }

  get dataSource(): DataSource {
    return this.service.get(DataSource);
  }

  /** Lets identity answer for every user id: `Person 7`, `person7@example.com`, Europe/Berlin. */
  async startIdentity(): Promise<void> {
    const endings = [
      this.neighbours.answer(Users.people, async ({ ids }) => {
        this.askedIdentity.push(...ids.map((id) => `people:${id}`));
        await this.identityAnswers;
        return {
          people: ids.map((id) => ({ ...person(id), email_verified: !this.unverified.has(id) })),
        };
      }),
      this.neighbours.answer(Users.contact, ({ user_id }) => {
        this.askedIdentity.push(`contact:${user_id}`);
        return {
          user_id,
          full_name: `Person ${user_id}`,
          email: `person${user_id}@example.com`,
          locale: 'en',
          timezone: this.zones.get(user_id) ?? 'Europe/Berlin',
          email_verified: true,
        };
      }),
    ];
    await this.neighbours.flush();
    this.silenceIdentity = () => {
      for (const end of endings) end();
    };
  }

  async stopIdentity(): Promise<void> {
    this.silenceIdentity();
    await this.neighbours.flush();
  }

  /** Lets payments answer that an amount due is closed, unless the test has put it among `paidBookings`. */
  async startPayments(): Promise<void> {
    this.silencePayments = this.neighbours.answer(AmountsDue.close, ({ booking_id }) => {
      if (this.failingBookings.has(booking_id)) {
        throw new ApplicationError('INTERNAL', 'The amount due cannot be closed.');
      }
      if (this.paidBookings.has(booking_id)) return { outcome: 'paid' };
      this.closedBookings.add(booking_id);
      return { outcome: 'closed' };
    });
    await this.neighbours.flush();
  }

  async stopPayments(): Promise<void> {
    this.silencePayments();
    await this.neighbours.flush();
  }

  newUser(): Caller {
    this.lastUserId += 1;
    return { user_id: this.lastUserId, roles: ['student'], session_id: 1 };
  }

  readonly admin: Caller = { user_id: 1, roles: ['admin'], session_id: 1 };

  /** Sends a request as a gateway does. */
  ask<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: Caller | undefined,
    data: In,
    context: Partial<RequestContext> = {},
  ): Promise<Out> {
    return this.neighbours.ask(contract, actor, data, context);
  }

  /** The error a request fails with. */
  async failure<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: Caller | undefined,
    data: In,
    context: Partial<RequestContext> = {},
  ): Promise<ApplicationError> {
    try {
      await this.ask(contract, actor, data, context);
    } catch (error) {
      if (error instanceof ApplicationError) return error;
      throw error;
    }
    throw new Error(`${contract.subject} did not fail.`);
  }

  /** An approved mentor in Europe/Berlin who works every day from 09:00 to 17:00 for 3000 RUB an hour. */
  async mentor(changes: Partial<ApplyAsMentor> = {}): Promise<TestMentor> {
    const actor = this.newUser();
    const daily = ['09:00-17:00'];
    const { id } = await this.ask(Mentors.apply, actor, {
      title: 'Senior Python Developer',
      description: 'Ten years of Python.',
      skills: ['Python', 'Django'],
      price_per_hour: 3000,
      timezone: 'Europe/Berlin',
      availability: {
        monday: daily,
        tuesday: daily,
        wednesday: daily,
        thursday: daily,
        friday: daily,
        saturday: daily,
        sunday: daily,
      },
      ...changes,
    });
    await this.ask(Mentors.approve, this.admin, { id });
    return { id, actor };
  }

  book(
    mentor: TestMentor,
    mentee: Caller,
    changes: Partial<BookSession> = {},
    context: Partial<RequestContext> = {},
  ): Promise<SessionView> {
    return this.ask(SessionBookings.book, mentee, bookingOf(mentor, changes), context);
  }

  /** A booking that was paid for and that its mentor confirmed. */
  async confirmed(
    mentor: TestMentor,
    mentee: Caller,
    changes: Partial<BookSession> = {},
  ): Promise<SessionView> {
    const session = await this.book(mentor, mentee, changes);
    if (session.payment_status === 'unpaid') await this.pay(session);
    return this.ask(SessionBookings.confirm, mentor.actor, { id: session.id });
  }

  /** Publishes that a session was paid, as payments does, and waits until that is handled. Returns the payment's id. */
  async pay(session: SessionView, changes: Partial<PaymentSucceeded> = {}): Promise<string> {
    const payment = { kept: true, ...this.payment(session), ...changes };
    await this.publish(paymentSucceeded, payment.payment_id, payment);
    return payment.payment_id;
  }

  async refund(session: SessionView, paymentId: string, refundedMinor: number): Promise<void> {
    const payment = this.payment(session, { payment_id: paymentId });
    await this.publish(paymentRefunded, paymentId, { ...payment, refunded_minor: refundedMinor });
  }

  payment(session: SessionView, changes: Partial<PaymentFact> = {}): PaymentFact {
    this.lastPayment += 1;
    return {
      payment_id: `pm_${this.lastPayment}`,
      booking_id: session.id,
      user_id: session.student.id,
      mentor_user_id: session.mentor.user_id,
      amount_minor: session.price * 100,
      currency: session.currency,
      description: session.topic,
      ...changes,
    };
  }

  /** Publishes an event as another service does, and waits until it is handled or has failed once. */
  async publish<Data>(
    event: EventContract<Data>,
    aggregateId: string | number,
    data: Data,
  ): Promise<void> {
    const id = await this.neighbours.publish(event, aggregateId, data);
    await eventually(`${event.type} to be handled`, async () => {
      const rows = await this.dataSource.query<unknown[]>(
        `SELECT FROM inbox WHERE event_id = $1 UNION ALL SELECT FROM inbox_retries WHERE event_id = $1`,
        [id],
      );
      return rows.length > 0 ? true : undefined;
    });
  }

  /** Lets time act on bookings. */
  sweep(): Promise<number> {
    return this.service.get(BookingSweeper).sweep();
  }

  /** The payloads of an aggregate's events of a type, oldest first. */
  async events(type: string, aggregateId: number): Promise<Record<string, unknown>[]> {
    const rows = await this.dataSource.query<{ payload: Record<string, unknown> }[]>(
      'SELECT payload FROM outbox WHERE type = $1 AND aggregate_id = $2 ORDER BY id',
      [type, String(aggregateId)],
    );
    return rows.map(({ payload }) => payload);
  }
}

/** Wednesday 25 November 2026, 10:00 in Berlin, for an hour. */
export function bookingOf(mentor: TestMentor, changes: Partial<BookSession> = {}): BookSession {
  return {
    mentor_id: mentor.id,
    scheduled_at: '2026-11-25T09:00:00Z',
    duration_minutes: 60,
    topic: 'Preparing for an interview',
    ...changes,
  };
}

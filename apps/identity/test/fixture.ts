import {
  type Access,
  type AccountMail,
  AccountMails,
  type ActorOf,
  type Caller,
  type ApplicationError,
  type AuditAction,
  type Device,
  EmailVerification,
  type MintedMail,
  type RegisterUser,
  Auth,
  type RequestContract,
  type Role,
  type SignedIn,
  type UserView,
  Users,
} from '@mentorhub/contracts';
import { MessagingModule, RequestClient, Signals } from '@mentorhub/messaging';
import { createService, FixedClock, type RunningService } from '@mentorhub/service-kit';
import { testDatabase, testNats } from '@mentorhub/testing';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { decodeJwt } from 'jose';
import { DataSource } from 'typeorm';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';

export const goodPassword = 'gondel wiese rabe';

export const laptop: Device = { user_agent: 'Laptop', ip: '203.0.113.7' };
export const phone: Device = { user_agent: 'Phone', ip: '198.51.100.9' };

/** Another app on the same NATS, from where requests come and signals go. */
@Module({})
class ClientModule {}

/** Identity over a NATS and a database of its own, and what a gateway would do with it. */
export class IdentityFixture {
  readonly clock = new FixedClock('2026-11-25T12:00:00Z');
  readonly replicas: RunningService[] = [];
  client: RequestClient;
  signals: Signals;
  private cleanUps: (() => Promise<unknown>)[] = [];
  /** What a replica is started with. */
  environment: Record<string, string>;
  private people = 0;

  static async start(
    name: string,
    environment: Record<string, string> = {},
  ): Promise<IdentityFixture> {
    const fixture = new IdentityFixture();
    const [database, nats] = await Promise.all([testDatabase(name), testNats()]);
    fixture.cleanUps.push(
      () => database.drop(),
      () => nats.stop(),
    );
    fixture.environment = {
      PROFILE: 'local',
      MANAGEMENT_PORT: '0',
      RUN_MIGRATIONS: 'true',
      DATABASE_POOL_SIZE: '10',
      DATABASE_URL_IDENTITY: database.url,
      DATABASE_DIRECT_URL_IDENTITY: database.directUrl,
      NATS_URL: nats.url,
      SECRET_KEY: 'a secret key of at least 32 characters',
      ...environment,
    };
    await fixture.addReplica();
    const client = await NestFactory.createApplicationContext(
      {
        module: ClientModule,
        imports: [
          MessagingModule.forRoot({ service: 'api-gateway', connection: { servers: nats.url } }),
        ],
      },
      { logger: ['warn', 'error', 'fatal'] },
    );
    fixture.cleanUps.push(() => client.close());
    fixture.client = client.get(RequestClient);
    fixture.signals = client.get(Signals);
    return fixture;
  }

  async stop(): Promise<void> {
    for (const replica of this.replicas) await replica.close();
    for (const cleanUp of this.cleanUps.toReversed()) await cleanUp();
  }

  async addReplica(environment: Record<string, string> = {}): Promise<RunningService> {
    const replica = await createService({
      name: 'identity',
      config: readConfig({ ...this.environment, ...environment }),
      module: appModule,
      clock: this.clock,
    });
    this.replicas.push(replica);
    return replica;
  }

  get natsUrl(): string {
    return this.environment['NATS_URL']!;
  }

  get dataSource(): DataSource {
    return this.replicas[0]!.app.get(DataSource);
  }

  request<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: Caller | undefined,
    data: In,
  ): Promise<Out> {
    return this.client.request(contract, actor as ActorOf<A>, data);
  }

  /** The error a request fails with. */
  async failure<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: Caller | undefined,
    data: In,
  ): Promise<ApplicationError> {
    const outcome = await this.request(contract, actor, data).catch((error: unknown) => error);
    if (outcome instanceof Error) return outcome as ApplicationError;
    throw new Error(`${contract.subject} did not fail.`);
  }

  async register(changes: Partial<RegisterUser> = {}, device = laptop): Promise<UserView> {
    this.people += 1;
    return this.request(Users.register, undefined, {
      email: `person${this.people}@example.com`,
      password: goodPassword,
      full_name: 'Ada Lovelace',
      role: 'student',
      ...changes,
      device,
    });
  }

  /** A new user who has signed in. */
  async signUp(device = laptop): Promise<SignedIn & { actor: Caller }> {
    const { email } = await this.register();
    return this.signIn(email, device);
  }

  /** Verifies the address of a signed-in user. */
  async verify({ actor }: { actor: Caller }): Promise<void> {
    const { token = '' } = await this.mintMail(actor.user_id, 'verify_email');
    await this.request(EmailVerification.verify, actor, { token, device: laptop });
  }

  /** What identity makes when the mailer is about to send a mail. */
  mintMail(user_id: number, mail: AccountMail, ref: number | null = null): Promise<MintedMail> {
    return this.request(AccountMails.mint, undefined, { user_id, mail, ref });
  }

  /** The audit trail, oldest first, of an action. */
  auditOf(action: AuditAction): Promise<Record<string, unknown>[]> {
    return this.dataSource.query(
      `SELECT outcome, actor_id, user_id, session_id, ip, user_agent, detail FROM audit_log
       WHERE action = $1 ORDER BY id`,
      [action],
    );
  }

  async signIn(email: string, device = laptop): Promise<SignedIn & { actor: Caller }> {
    const answer = await this.request(Auth.login, undefined, {
      email,
      password: goodPassword,
      device,
    });
    return Object.assign(answer, { actor: actorOf(answer.access_token) });
  }

  /** What has been published, oldest first. */
  async events(type: string, aggregateId?: number): Promise<Record<string, unknown>[]> {
    const rows = await this.dataSource.query<{ payload: Record<string, unknown> }[]>(
      `SELECT payload FROM outbox WHERE type = $1 AND ($2::text IS NULL OR aggregate_id = $2)
       ORDER BY id`,
      [type, aggregateId === undefined ? null : String(aggregateId)],
    );
    return rows.map(({ payload }) => payload);
  }
}

/** What a gateway reads out of an access token. */
export function actorOf(accessToken: string): Caller {
  const { sub, sid, roles } = decodeJwt<{ sid: number; roles: Role[] }>(accessToken);
  return { user_id: Number(sub), session_id: sid, roles };
}

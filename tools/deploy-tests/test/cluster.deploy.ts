import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AppName,
  appNames,
  type Postgres,
  removeAfterwards,
  serviceNames,
  startPostgres,
  temporaryBase,
  postgresBinaries,
  workspaceRoot,
} from '@mentorhub/local-system';
import {
  Actor,
  eventually,
  testCertificates,
  type TestCertificates,
  testNats,
} from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppProcess } from '../src/app-process.js';
import { databaseSettings, freePorts, productionSettings } from '../src/app-settings.js';
import { run } from '../src/command.js';
import { NatsCluster } from '../src/nats-cluster.js';
import { joinsMentorHub, MailSink } from '../src/people.js';

/** Events pass a server that was killed within this time, in milliseconds. */
const longestGapMs = 20_000;
const backInSyncMs = 120_000;

const mainOf = (app: AppName): string => join(workspaceRoot, 'apps', app, 'dist', 'main.js');

/** The address of a database by the name that is in the server's certificate, which is checked. */
function encrypted(url: string, caFile: string): string {
  const address = new URL(url);
  address.hostname = 'localhost';
  address.searchParams.set('sslmode', 'verify-full');
  address.searchParams.set('sslrootcert', caFile);
  return address.href;
}

async function startDatabases(tls?: TestCertificates): Promise<Postgres> {
  const { runAs } = await postgresBinaries();
  const directory = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-cluster-postgres-'));
  removeAfterwards(directory);
  return startPostgres({ directory, persistent: false, tls });
}

interface Failure {
  code: number | NodeJS.Signals;
  log: string;
}

describe('three nats-servers and PostgreSQL, all with TLS', () => {
  let certificates: TestCertificates;
  let strangers: TestCertificates;
  let secrets: string;
  let nats: NatsCluster;
  let postgres: Postgres;
  let mails: MailSink;
  let writer: Actor;
  let reader: Actor;
  const databaseUrls = new Map<AppName, string>();
  const running = new Map<AppName, AppProcess>();

  async function environmentOf(app: AppName): Promise<Record<string, string>> {
    return {
      ...productionSettings,
      ...(await freePorts()),
      ...databaseSettings(app, databaseUrls.get(app)),
      NATS_URL: nats.url(),
      NATS_CA_FILE: certificates.caFile,
      NATS_NKEY_SEED_FILE: join(secrets, `nats-nkey-seed-${app}`),
      EVENT_STREAM_REPLICAS: '3',
      SENDGRID_API_URL: mails.url,
      SHUTDOWN_DELAY_MS: '0',
      WS_DRAIN_SECONDS: '0',
    };
  }

  async function start(app: AppName, settings: Record<string, string> = {}): Promise<AppProcess> {
    const environment = {
      ...(await environmentOf(app)),
      RUN_MIGRATIONS: 'true',
      ...settings,
    };
    const replica = new AppProcess({ app, name: app, file: mainOf(app), environment });
    running.set(app, replica);
    return replica.ready();
  }

  beforeAll(async () => {
    secrets = await mkdtemp(join(tmpdir(), 'mentorhub-cluster-secrets-'));
    removeAfterwards(secrets);
    await run(join(workspaceRoot, 'deploy', 'compose', 'secrets'), [secrets]);
    const publicKeys = Object.fromEntries(
      readFileSync(join(secrets, 'nats.env'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    certificates = await testCertificates(['localhost']);
    strangers = await testCertificates(['localhost']);
    mails = await MailSink.start();
    nats = await NatsCluster.start({ certificates, publicKeys });
    postgres = await startDatabases(certificates);
    for (const app of serviceNames) {
      databaseUrls.set(app, encrypted(await postgres.createDatabase(app), certificates.caFile));
    }
    await Promise.all(appNames.map((app) => start(app)));
    const { url } = running.get('api-gateway')!;
    writer = await joinsMentorHub(url, mails, 'writer', 'student');
    reader = await joinsMentorHub(url, mails, 'reader', 'student');
    await writer.post('/api/v1/messages', { recipient_id: reader.userId, text: 'Hello.' });
  });

  afterAll(async () => {
    await Promise.all([...running.values()].map((app) => (app.signal('SIGKILL'), app.ended)));
    await mails?.close();
    await postgres?.stop();
    await nats?.stop();
    await certificates?.remove();
    await strangers?.remove();
  });

  const threeCopies = (timeoutMs: number): Promise<unknown> =>
    eventually(
      'three copies of the event stream',
      async () => ((await nats.copies())?.current.length === 3 ? true : undefined),
      timeoutMs,
    );

  /** The name of the writer as the chat knows it, by identity's events. */
  async function knownName(): Promise<string | undefined> {
    try {
      const { items } = await reader.get<{ items: { participant: { full_name: string } }[] }>(
        '/api/v1/messages/chats',
      );
      return items[0]?.participant.full_name;
    } catch {
      return undefined;
    }
  }

  it('keep three copies of the event stream', async () => {
    await threeCopies(60_000);
    expect(await running.get('identity')!.metric('event_stream_replicas')).toBe(3);
  });

  /** Renames somebody again and again, and watches when the chat gets to know of it. */
  class Renames {
    latest = 0;
    seen = 0;
    refused = 0;
    /** The longest that nothing new was seen since the last `reset`, in milliseconds. */
    gapMs = 0;
    private lastSeenAt = performance.now();
    private writing = true;
    private readonly done = Promise.all([this.write(), this.watch()]);

    reset(): void {
      this.gapMs = 0;
    }

    /** Resolves when this many more were seen. */
    async flow(more: number): Promise<void> {
      const from = this.seen;
      await eventually(
        'events to flow',
        () => (this.seen >= from + more ? true : undefined),
        90_000,
      );
    }

    /** Resolves when the last one was seen. */
    async finish(): Promise<void> {
      this.writing = false;
      await this.done;
      await eventually(
        'the last event',
        async () => {
          await this.look();
          return this.seen === this.latest ? true : undefined;
        },
        60_000,
      );
    }

    private async write(): Promise<void> {
      while (this.writing) {
        try {
          await writer.patch('/api/v1/users/me', { full_name: `Number ${this.latest + 1}` });
          this.latest += 1;
        } catch {
          this.refused += 1;
        }
        await delay(50);
      }
    }

    private async watch(): Promise<void> {
      while (this.writing) {
        await this.look();
        await delay(20);
      }
    }

    private async look(): Promise<void> {
      const number = Number(/^Number (\d+)$/.exec((await knownName()) ?? '')?.[1] ?? 0);
      if (number <= this.seen) return;
      const now = performance.now();
      this.gapMs = Math.max(this.gapMs, now - this.lastSeenAt);
      [this.seen, this.lastSeenAt] = [number, now];
    }
  }

  it('pass events on when one of them is killed, and lose none', async ({ onTestFailed }) => {
    onTestFailed(() => {
      const logs = [...running.values()].map(({ name, lines }) => [name, ...lines.slice(-30)]);
      process.stdout.write(`${logs.flat().join('\n')}\n`);
    });
    // Nothing but the silence tells a process that it gets no more events when it talks to another server.
    const delivers = await eventually('a server to deliver events', () =>
      nats.consumerLeader('chat_identity'),
    );
    await running.get('chat')!.stop();
    await start('chat', { NATS_URL: nats.url(delivers) });
    const renames = new Renames();
    await renames.flow(20);
    const usualMs = Math.round(renames.gapMs);
    const results: { killed: string; gapMs: number; syncMs: number }[] = [];
    const kill = async (role: string, server: string): Promise<void> => {
      renames.reset();
      await nats.kill(server);
      await renames.flow(20);
      await eventually(
        'two copies',
        async () => ((await nats.copies())?.current.length === 2 ? true : undefined),
        60_000,
      );
      await nats.restart(server);
      const restarted = performance.now();
      await threeCopies(backInSyncMs);
      const syncMs = Math.round(performance.now() - restarted);
      results.push({ killed: role, gapMs: Math.round(renames.gapMs), syncMs });
    };
    await kill('the server that delivers to chat', delivers);
    await kill('the leader of the stream', (await nats.copies())?.leader ?? '');
    await renames.finish();
    const { latest, refused } = renames;
    process.stdout.write(`${JSON.stringify({ usualMs, results, latest, refused })}\n`);
    const slow = results.filter(({ gapMs }) => gapMs > longestGapMs);
    expect(slow).toEqual([]);
    for (const app of serviceNames) {
      const replica = running.get(app)!;
      const lost = [
        await replica.metric('dead_letters_waiting'),
        await replica.metric('outbox_parked'),
      ];
      expect([app, ...lost]).toEqual([app, 0, 0]);
    }
  });

  it('keep the copies when identity restarts', async () => {
    const old = running.get('identity')!;
    expect(await old.stop()).toBe(0);
    const identity = await start('identity');
    await eventually(
      'identity to look after the stream',
      async () =>
        (await identity.metric('event_stream_replicas_in_sync')) === 3 ? true : undefined,
      60_000,
    );
    await threeCopies(backInSyncMs);
    expect(await identity.metric('event_stream_replicas')).toBe(3);
    expect(await identity.metric('event_stream_replicas_missing')).toBe(0);
    await writer.patch('/api/v1/users/me', { full_name: 'Someone Else' });
    await eventually('events to flow', async () =>
      (await knownName()) === 'Someone Else' ? true : undefined,
    );
  });

  async function failedStart(app: AppName, settings: Record<string, string>): Promise<Failure> {
    const environment = { ...(await environmentOf(app)), ...settings };
    const replica = new AppProcess({ app, name: app, file: mainOf(app), environment });
    const code = await replica.ended;
    return { code, log: replica.lines.join('\n') };
  }

  describe('an app does not start, and says why,', () => {
    let failures: Record<
      'natsAuthority' | 'plainNats' | 'postgresAuthority' | 'plainPostgres',
      Failure
    >;
    let plainNats: Awaited<ReturnType<typeof testNats>>;
    let plainPostgres: Postgres;

    beforeAll(async () => {
      plainNats = await testNats();
      plainPostgres = await startDatabases();
      // All at once: an app waits 30 s for NATS.
      const [natsAuthority, withoutTls, postgresAuthority, unencrypted] = await Promise.all([
        failedStart('api-gateway', { NATS_CA_FILE: strangers.caFile }),
        failedStart('identity', { NATS_URL: `tls://localhost:${plainNats.port}` }),
        failedStart(
          'payments',
          databaseSettings('payments', encrypted(postgres.url, strangers.caFile)),
        ),
        failedStart(
          'chat',
          databaseSettings('chat', encrypted(plainPostgres.url, certificates.caFile)),
        ),
      ]);
      failures = {
        natsAuthority,
        plainNats: withoutTls,
        postgresAuthority,
        plainPostgres: unencrypted,
      };
    });

    afterAll(async () => {
      await plainNats?.stop();
      await plainPostgres?.stop();
    });

    it('when another authority signed the certificates of NATS', () => {
      const { code, log } = failures.natsAuthority;
      expect(code).toBe(1);
      expect(log).toContain(`NATS at ${nats.url().replaceAll(',', ', ')} cannot be used`);
      expect(log).toContain('NATS_CA_FILE must have the authority that signed it');
    });

    it('when NATS offers no TLS', () => {
      const { code, log } = failures.plainNats;
      expect(code).toBe(1);
      expect(log).toContain(`NATS at tls://localhost:${plainNats.port} cannot be used`);
      expect(log).toContain('the server offers no TLS, which tls:// asks for');
    });

    it('when another authority signed the certificate of PostgreSQL', () => {
      const { code, log } = failures.postgresAuthority;
      expect(code).toBe(1);
      expect(log).toContain(
        `The certificate of PostgreSQL at localhost:${postgres.port} is not accepted`,
      );
      expect(log).toContain('sslrootcert must be the file of the authority that signed it');
    });

    it('when PostgreSQL offers no TLS', () => {
      const { code, log } = failures.plainPostgres;
      expect(code).toBe(1);
      expect(log).toContain(
        `PostgreSQL at localhost:${plainPostgres.port} offers no TLS, which sslmode=verify-full asks for`,
      );
    });
  });
});

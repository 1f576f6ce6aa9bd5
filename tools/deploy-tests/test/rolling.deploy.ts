import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleApp } from '@mentorhub/bundle';
import {
  type AppName,
  appNames,
  isGateway,
  removeAfterwards,
  type ServiceName,
  serviceNames,
} from '@mentorhub/local-system';
import { Actor, eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppProcess, runToEnd } from '../src/app-process.js';
import { databaseSettings, freePorts, productionSettings } from '../src/app-settings.js';
import { Balancer } from '../src/balancer.js';
import { ChatDevice } from '../src/chat-device.js';
import { writeNextMigrate } from '../src/next-schema.js';
import { becomesMentor, joinsMentorHub, MailSink } from '../src/people.js';
import { RestLoad } from '../src/rest-load.js';

const replicas = 2;
const lookEveryMs = 5000;
const drainSeconds = 20;
const peopleCount = 40;
const mentorCount = 4;
const wantedRequests = 10_000;
/** For what was written last to be shown everywhere. */
const settleMs = 30_000;

const admin = { email: 'admin@deploy.example', password: 'the password of the operator' };

/** When a process was asked to stop and when it had ended, in Unix milliseconds. */
interface Stop {
  name: string;
  app: AppName;
  asked: number;
  ended: number;
  code: number | NodeJS.Signals;
}

interface Session {
  id: number;
  status: string;
}

const temporary = mkdtempSync(join(tmpdir(), 'mentorhub-rolling-'));
removeAfterwards(temporary);

/** Neighbours write to each other: 0 ↔ 1, 2 ↔ 3, … */
const partnerOf = <Of>(all: readonly Of[], index: number): Of => all[index ^ 1]!;

describe('restarting every app with two replicas behind a balancer, one after the other', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let mails: MailSink;
  let balancer: Balancer;
  let load: RestLoad;
  let people: Actor[];
  let devices: ChatDevice[];
  const databases = new Map<AppName, TestDatabase>();
  const running = new Map<AppName, AppProcess[]>();
  const forget = new Map<AppProcess, () => void>();
  const stops: Stop[] = [];
  const stopping: Promise<unknown>[] = [];
  let started = 0;

  async function environmentOf(app: AppName): Promise<Record<string, string>> {
    return {
      ...productionSettings,
      ...(await freePorts()),
      ...databaseSettings(app, databases.get(app)?.directUrl),
      NATS_URL: nats.url,
      PUBLIC_URL: balancer.url,
      SENDGRID_API_URL: mails.url,
      ADMIN_EMAIL: admin.email,
      ADMIN_PASSWORD: admin.password,
      // Everybody comes from one address.
      REGISTRATIONS_PER_HOUR: '100000',
      BOOKINGS_PER_HOUR: '100000',
      LOG_LEVEL: 'warn',
    };
  }

  /** Migrates, as every new replica does before it starts, and starts it. */
  async function start(app: AppName, migrate?: string): Promise<AppProcess> {
    const environment = await environmentOf(app);
    const name = `${app} ${(started += 1)}`;
    if (!isGateway(app)) {
      const file = migrate ?? join(temporary, app, 'migrate.js');
      await runToEnd({ app, name: `${name} migrate`, file, environment });
    }
    const file = join(temporary, app, 'main.js');
    const replica = new AppProcess({ app, name, file, environment });
    await replica.ready();
    if (isGateway(app)) {
      const pool = app === 'api-gateway' ? 'requests' : 'sockets';
      const { url, readyUrl } = replica;
      forget.set(replica, balancer.add(pool, { name, url, readyUrl }));
    }
    running.set(app, [...(running.get(app) ?? []), replica]);
    return replica;
  }

  /** Asks a replica to stop in the moment after the balancer looked, from which on it knows least. */
  async function retire(replica: AppProcess): Promise<void> {
    const { app, name } = replica;
    running.set(
      app,
      (running.get(app) ?? []).filter((one) => one !== replica),
    );
    if (isGateway(app)) await balancer.nextLook();
    const asked = Date.now();
    const stopped = async (): Promise<void> => {
      const code = await replica.stop();
      stops.push({ name, app, asked, ended: Date.now(), code });
      forget.get(replica)?.();
    };
    stopping.push(stopped());
  }

  /** Replaces the replicas of an app as `maxUnavailable: 0` and `maxSurge: 1` do. */
  async function roll(app: AppName, migrate?: string): Promise<void> {
    for (const old of running.get(app) ?? []) {
      await start(app, migrate);
      await retire(old);
    }
    await Promise.all(stopping.splice(0));
  }

  function logs(): string {
    return [...running.values()]
      .flat()
      .map(({ name, lines }) => `${name}:\n${lines.slice(-10).join('\n')}`)
      .join('\n');
  }

  beforeAll(async () => {
    nats = await testNats();
    mails = await MailSink.start();
    balancer = await Balancer.start(lookEveryMs);
    for (const app of appNames) await bundleApp({ app, folder: join(temporary, app) });
    for (const app of serviceNames) databases.set(app, await testDatabase(`rolling_${app}`));
    for (const app of appNames) {
      await start(app);
      await start(app);
    }
    await eventually('the balancer to know every replica', () =>
      balancer.readyIn('requests') + balancer.readyIn('sockets') === 2 * replicas
        ? true
        : undefined,
    );

    const administrator = await Actor.signedIn(balancer.url, 'admin', admin);
    people = [];
    for (let begin = 0; begin < peopleCount; begin += 2) {
      const pair = [begin, begin + 1].map((index) => {
        const role = index < mentorCount ? 'mentor' : 'student';
        return joinsMentorHub(balancer.url, mails, `person-${index}`, role);
      });
      people.push(...(await Promise.all(pair)));
    }
    const mentorIds: number[] = [];
    for (const mentor of people.slice(0, mentorCount)) {
      mentorIds.push(await becomesMentor(mentor, administrator));
    }
    const slots = [];
    for (const mentorId of mentorIds) {
      const free = await administrator.get<{ slots: { starts_at: string }[] }>(
        `/api/v1/mentors/${mentorId}/slots?duration_minutes=60`,
      );
      // They begin at every half hour; two of them must not overlap.
      const hours = free.slots
        .map(({ starts_at }) => starts_at)
        .filter((at) => at.endsWith(':00:00Z'));
      slots.push(...hours.map((startsAt) => ({ mentorId, startsAt })));
    }
    slots.sort((one, other) => other.startsAt.localeCompare(one.startsAt));

    // Each has a device that writes and one that reads.
    devices = people.flatMap((owner, index) => [
      new ChatDevice({
        owner,
        name: `device-${index}-a`,
        recipientId: partnerOf(people, index).userId,
        pauseMs: 1500,
      }),
      new ChatDevice({ owner, name: `device-${index}-b`, pauseMs: 0 }),
    ]);
    for (const device of devices) await device.connect();
    for (const device of devices) device.start();

    load = new RestLoad({
      people,
      mentorIds,
      slots,
      books: (index) => index >= mentorCount,
      everyMs: 450,
      partnerOf: (index) => partnerOf(people, index),
    });
    for (const app of appNames) await roll(app);
    for (const app of serviceNames) await roll(app, writeNextMigrate(app, temporary));
    await eventually(
      `${wantedRequests} requests`,
      () => (load.count >= wantedRequests || load.failures.length > 0 ? true : undefined),
      300_000,
    );
    await load.stop();
    for (const device of devices) device.finish();
    process.stdout.write(
      `${JSON.stringify({
        requests: load.count,
        slowestMs: load.slowestMs,
        sockets: balancer.sockets,
        messages: devices.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
        reconnects: devices.reduce((sum, { reconnects }) => sum + reconnects, 0),
        stops: stops.map(({ name, asked, ended }) => [name, ended - asked]),
      })}\n`,
    );
  }, 900_000);

  afterAll(async () => {
    for (const device of devices ?? []) device.close();
    await load?.stop();
    const all = [...running.values()].flat();
    for (const replica of all) replica.signal('SIGKILL');
    await Promise.all(all.map(({ ended }) => ended));
    await balancer?.close();
    await mails?.close();
    for (const database of databases.values()) await database.drop();
    await nats?.stop();
  });

  it(`fails none of at least ${wantedRequests} requests`, () => {
    const [client, between] = [load.failures.slice(0, 10), balancer.failures.slice(0, 10)];
    if (client.length + between.length > 0) process.stdout.write(`${logs()}\n`);
    expect({ client, between }).toEqual({ client: [], between: [] });
    expect(load.count).toBeGreaterThanOrEqual(wantedRequests);
  });

  it('reads and writes in every service', () => {
    const few = [...load.counts].filter(([, count]) => count < 50);
    expect(few).toEqual([]);
    expect(load.counts.size).toBe(18);
  });

  it('ends every process in peace', () => {
    expect(stops).toHaveLength(replicas * (appNames.length + serviceNames.length));
    expect(stops.filter(({ code }) => code !== 0)).toEqual([]);
  });

  it('breaks no promise to a device', () => {
    expect(devices.flatMap(({ failures }) => failures)).toEqual([]);
  });

  it('shows every acknowledged message on every device exactly once', async () => {
    await eventually(
      'the last messages to be acknowledged',
      () => (devices.every(({ idle }) => idle) ? true : undefined),
      settleMs,
    );
    const of = (index: number): number[] => [
      ...devices[2 * index]!.acknowledged,
      ...(load.written.messages.get(index) ?? []),
    ];
    const problems = (): string[] =>
      devices.flatMap((device, at) => {
        const owner = Math.floor(at / 2);
        const due = [...of(owner), ...of(owner ^ 1)];
        const missing = due.filter((id) => !device.shown.has(id));
        const twice = [...device.shown].filter(([, count]) => count > 1).map(([id]) => id);
        return missing.length + twice.length === 0
          ? []
          : [`device ${at} misses ${missing.join()} and has twice ${twice.join()}`];
      });
    await eventually(
      'all messages to be shown',
      () => (problems().length === 0 ? true : undefined),
      settleMs,
    ).catch(() => undefined);
    expect(problems()).toEqual([]);
    const total = people.reduce((sum, _, index) => sum + of(index).length, 0);
    expect(total).toBeGreaterThan(1000);
    // Nothing is stored beside what was acknowledged: no message twice.
    const shown = new Set(devices.flatMap((device) => [...device.shown.keys()]));
    expect(shown.size).toBe(total);
  });

  it('closes the sockets of a chat gateway spread over the time that it has', () => {
    const gateways = stops.filter(({ app }) => app === 'chat-gateway');
    expect(gateways).toHaveLength(replicas);
    for (const { name, asked, ended } of gateways) {
      const closes = (balancer.closes.get(name) ?? []).filter((at) => at >= asked && at <= ended);
      const seconds = new Map<number, number>();
      for (const at of closes) {
        const second = Math.floor((at - asked) / 1000);
        seconds.set(second, (seconds.get(second) ?? 0) + 1);
      }
      process.stdout.write(`${name}: ${JSON.stringify([...seconds])}\n`);
      expect(closes.length).toBeGreaterThanOrEqual(peopleCount / 2);
      expect(Math.max(...seconds.values())).toBeLessThanOrEqual((3 * closes.length) / drainSeconds);
      const apart = Math.max(...closes) - Math.min(...closes);
      expect(apart).toBeGreaterThanOrEqual(0.8 * drainSeconds * 1000);
    }
  });

  it('keeps every session that was booked, paid and cancelled', async () => {
    for (const [index, person] of people.entries()) {
      const booked = load.written.sessions.get(index) ?? [];
      const { items, total } = await person.get<{ items: Session[]; total: number }>(
        '/api/v1/sessions?role=student&limit=100',
      );
      expect([index, total]).toEqual([index, booked.length]);
      const byId = (one: Session, other: Session): number => one.id - other.id;
      expect(items.map(({ id, status }) => ({ id, status })).toSorted(byId)).toEqual(
        booked.map((id) => ({ id, status: 'cancelled' })).toSorted(byId),
      );
    }
  });

  it.each(serviceNames)('%s has the schema of the next version', async (service: ServiceName) => {
    const environment = await environmentOf(service);
    const lines = await runToEnd({
      app: service,
      name: `${service} next migrate`,
      file: writeNextMigrate(service, temporary),
      environment: { ...environment, LOG_LEVEL: 'info' },
    });
    expect(lines.join('\n')).toContain('The database is up to date.');
  });
});

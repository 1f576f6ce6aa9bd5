import { event, request, signal } from '@mentorhub/contracts';
import { testDatabase, type TestDatabase, testNats } from '@mentorhub/testing';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Controller } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Handle, type NatsApp, natsApps, natsServerConfig, Signals } from '../src/index.js';
import { eventFilters, requestsOf } from '../src/nats-permissions.js';
import { EffectsController, addEvents, recorded, thingHappened } from './effects.js';
import { type Fixture, startGateway, startService } from './fixture.js';

const users = {
  /** Of the gateway. */
  card: request.service<{ ids: number[] }, { ids: number[] }>('identity.users.card'),
  /** Of other services. */
  people: request.service<{ ids: number[] }, { ids: number[] }>('identity.users.people'),
};
const payment = request.service<object, { by: string }>('payments.payments.get');
const inboxPage = request.service<object, { by: string }>('notifications.notifications.list');
const frame = signal<{ text: string }>('user.*.frame');
const registered = event('identity.user.registered');

/** The ids in the requests that identity got. */
const asked: number[] = [];

@Controller()
class IdentityController {
  @Handle(users.card)
  card(_: unknown, { ids }: { ids: number[] }): { ids: number[] } {
    return this.people(undefined, { ids });
  }

  @Handle(users.people)
  people(_: unknown, { ids }: { ids: number[] }): { ids: number[] } {
    asked.push(...ids);
    return { ids };
  }
}

function passwordOf(app: NatsApp): string {
  return `pass-${app}`;
}

/** Every call to JetStream by which events are had or removed; the last four are for its owner. */
const callsOf = (consumer: string, filter: string): string[] => [
  `$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.${consumer}`,
  `$JS.API.CONSUMER.CREATE.EVENTS.${consumer}`,
  `$JS.API.CONSUMER.CREATE.EVENTS.${consumer}.>`,
  `$JS.API.CONSUMER.CREATE.EVENTS.${consumer}.event.>`,
  `$JS.API.CONSUMER.CREATE.EVENTS.${consumer}.event.*.*.*`,
  `$JS.API.CONSUMER.DELETE.EVENTS.${consumer}`,
  `$JS.API.CONSUMER.CREATE.EVENTS.${consumer}.${filter}`,
  `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${consumer}`,
  `$JS.ACK.EVENTS.${consumer}.1.1.1.1.1`,
];

describe('on a nats-server with a user for each app', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let databases: TestDatabase[];
  let identity: Fixture;
  let mentorship: Fixture;
  let notifications: Fixture;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  const connections: NatsConnection[] = [];

  beforeAll(async () => {
    const passwords = Object.fromEntries(natsApps.map((app) => [app, passwordOf(app)]));
    nats = await testNats({
      config: (port, storeDirectory) =>
        natsServerConfig({ users: passwords, port, storeDirectory }),
    });
    databases = await Promise.all(
      ['identity', 'mentorship', 'notifications'].map((name) => testDatabase(name)),
    );
    const [identityDb, mentorshipDb, notificationsDb] = databases.map(({ url }) => url);
    const common = { natsUrl: nats.url };
    // First who has to wait for the other's stream.
    mentorship = await startService({
      ...common,
      user: { user: 'mentorship', pass: passwordOf('mentorship') },
      databaseUrl: mentorshipDb ?? '',
    });
    notifications = await startService({
      ...common,
      service: 'notifications',
      user: { user: 'notifications', pass: passwordOf('notifications') },
      databaseUrl: notificationsDb ?? '',
      controllers: [EffectsController],
    });
    identity = await startService({
      ...common,
      service: 'identity',
      user: { user: 'identity', pass: passwordOf('identity') },
      databaseUrl: identityDb ?? '',
      controllers: [IdentityController],
    });
    gateway = await startGateway(nats.url, 'api-gateway', {
      user: 'api-gateway',
      pass: passwordOf('api-gateway'),
    });
  });

  afterAll(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await gateway.close();
    await mentorship.close();
    await notifications.close();
    await identity.close();
    await Promise.all(databases.map((database) => database.drop()));
    await nats.stop();
  });

  /** A connection as an app, beside the app's own, that notes what the server denies. */
  async function intruder(app: NatsApp): Promise<{ nc: NatsConnection; denied: string[] }> {
    const nc = await connect({
      servers: nats.url,
      user: app,
      pass: passwordOf(app),
      inboxPrefix: `_INBOX.${app}`,
    });
    connections.push(nc);
    const denied: string[] = [];
    void (async () => {
      for await (const status of nc.status()) {
        if (status.type === 'error') denied.push(status.error.message);
      }
    })();
    return { nc, denied };
  }

  it('requests, events and signals work', async () => {
    expect(await gateway.client.request(users.card, undefined, { ids: [1] })).toEqual({
      ids: [1],
    });
    expect(await mentorship.client.request(users.people, undefined, { ids: [2] })).toEqual({
      ids: [2],
    });
    await addEvents(mentorship.database, [['1', { n: 1 }]]);
    await expect.poll(() => recorded(notifications.database)).toEqual([1]);
  });

  it('events flow again after the broker has lost its store', async () => {
    await nats.kill();
    await nats.restart({ wipe: true });
    await addEvents(mentorship.database, [['1', { n: 2 }]]);
    await expect.poll(() => recorded(notifications.database), { timeout: 10_000 }).toEqual([1, 2]);
  });

  it('nobody connects without a password', async () => {
    await expect(connect({ servers: nats.url })).rejects.toThrow(/authorization/i);
    await expect(connect({ servers: nats.url, user: 'identity', pass: 'guess' })).rejects.toThrow(
      /authorization/i,
    );
  });

  it.each([
    ['mentorship', registered.subject],
    ['identity', thingHappened.subject],
    ['api-gateway', thingHappened.subject],
    ['chat', 'rpc.payments.payments.create'],
    ['mentorship', 'rpc.identity.auth.login'],
    ['payments', 'signal.identity.session.revoked'],
    ['chat-gateway', 'signal.user.1.frame'],
    ['mentorship', '$JS.API.STREAM.CREATE.EVENTS'],
    ['mentorship', '$JS.API.STREAM.UPDATE.EVENTS'],
    ['identity', '$JS.API.STREAM.CREATE.REQUESTS'],
    ['mentorship', '$JS.API.STREAM.DELETE.EVENTS'],
    ['mentorship', '$JS.API.STREAM.PURGE.EVENTS'],
    ['mentorship', '$JS.API.CONSUMER.MSG.NEXT.EVENTS.identity_mentorship'],
    ['mentorship', '$JS.API.CONSUMER.DELETE.EVENTS.identity_mentorship'],
    ['api-gateway', '_INBOX.chat-gateway.guess'],
    ['identity', '_INBOX.api-gateway.guess'],
    ['identity', '_INBOX.api-gateway.mentorship.guess.0'],
  ] as const)('%s cannot publish %s', async (app, subject) => {
    const { nc, denied } = await intruder(app);
    nc.publish(subject, '{}');
    await nc.flush();
    await expect.poll(() => denied).toHaveLength(1);
    expect(denied[0]).toMatch(/permissions violation for publish/i);
  });

  it.each([
    ['mentorship', 'rpc.identity.>'],
    ['mentorship', 'event.>'],
    ['api-gateway', 'rpc.identity.auth.login'],
    ['api-gateway', '_INBOX.identity.>'],
    ['chat', '_INBOX.>'],
    ['identity', '>'],
  ] as const)('%s cannot listen on %s', async (app, subject) => {
    const { nc, denied } = await intruder(app);
    nc.subscribe(subject, { callback: () => undefined });
    await nc.flush();
    await expect.poll(() => denied).toHaveLength(1);
    expect(denied[0]).toMatch(/permissions violation for subscription/i);
  });

  it("a service cannot read another's events through a consumer of another name", async () => {
    const { nc } = await intruder('payments');
    const manager = await jetstreamManager(nc, { checkAPI: false, timeout: 300 });
    await expect(manager.consumers.info('EVENTS', 'mentorship_mentorship')).rejects.toThrow(
      /permissions violation/i,
    );
    await expect(
      jetstream(nc, { timeout: 300 }).publish(thingHappened.subject, '{}'),
    ).rejects.toThrow(/permissions violation/i);
  });

  it.each(natsApps)('%s may send its own requests, and none of the others', async (app) => {
    const every = new Set(natsApps.flatMap(requestsOf));
    const { nc, denied } = await intruder(app);
    for (const subject of every) nc.publish(subject, '{}');
    nc.publish('rpc.identity.anything.else', '{}');
    await nc.flush();
    const own = requestsOf(app);
    await expect.poll(() => denied.length).toBe(every.size - own.length + 1);
    for (const subject of own) expect(denied.join('\n')).not.toContain(`"${subject}"`);
  });

  it.each(natsApps)(
    '%s may publish its own events and signals, and none of the others',
    async (app) => {
      const { nc, denied } = await intruder(app);
      const others = natsApps.filter((other) => other !== app);
      const kinds = ['event', 'signal'];
      for (const kind of kinds) {
        for (const owner of natsApps) nc.publish(`${kind}.${owner}.thing.happened`, '{}');
      }
      await nc.flush();
      const refused = app.endsWith('-gateway') ? natsApps : others;
      await expect.poll(() => denied.length).toBe(refused.length * kinds.length);
    },
  );

  describe('the consumers of a service', () => {
    const consumers: [app: NatsApp, consumer: string, filter: string][] = Object.entries(
      eventFilters,
    ).flatMap(([service, filters]) =>
      Object.entries(filters).map(([source, filter]): [NatsApp, string, string] => [
        service as NatsApp,
        `${service}_${source}`,
        filter,
      ]),
    );

    it.each(natsApps)('%s may use its own by their filters, and no others', async (app) => {
      const { nc, denied } = await intruder(app);
      const own: string[] = [];
      const sent: string[] = [];
      for (const [owner, consumer, filter] of consumers) {
        const calls = callsOf(consumer, filter);
        if (owner === app) own.push(...calls.slice(-4));
        for (const call of calls) {
          nc.publish(call, '{}');
          sent.push(call);
        }
      }
      nc.publish('$JS.API.CONSUMER.CREATE.EVENTS', '{}');
      nc.publish('$JS.API.STREAM.MSG.GET.EVENTS', '{"seq":1}');
      await nc.flush();
      await expect.poll(() => denied.length).toBe(sent.length - own.length + 2);
      for (const call of own) expect(denied.join('\n')).not.toContain(`"${call}"`);
    });

    it('take no other filter inside the call than the one its subject says', async () => {
      const { nc } = await intruder('payments');
      const call = '$JS.API.CONSUMER.CREATE.EVENTS.payments_mentorship.event.mentorship.booking.*';
      const create = async (config: object): Promise<unknown> =>
        (
          await nc.request(
            call,
            JSON.stringify({
              stream_name: 'EVENTS',
              config: { durable_name: 'payments_mentorship', ack_policy: 'explicit', ...config },
            }),
          )
        ).json();
      for (const filter of ['event.>', 'event.chat.message.sent', '']) {
        expect(await create({ filter_subject: filter })).toMatchObject({ error: { code: 400 } });
      }
      expect(await create({ filter_subject: 'event.mentorship.booking.*' })).toMatchObject({
        config: { filter_subject: 'event.mentorship.booking.*' },
      });
    });
  });

  /**
   * What a service that was taken over can do: have JetStream deliver the events it may read on another subject.
   * @param source whose consumer nothing here uses yet
   */
  async function deliverAs(
    target: { deliver_subject: string; deliver_group?: string },
    source: 'identity' | 'chat' | 'payments',
    data: object,
  ): Promise<void> {
    const { nc } = await intruder('notifications');
    const { consumers } = await jetstreamManager(nc, { checkAPI: false });
    const filter = eventFilters.notifications[source] ?? '';
    const author = await intruder(source);
    await jetstream(author.nc).publish(filter.replace(/[*>]$/, 'forged'), JSON.stringify(data));
    const consumer = `notifications_${source}`;
    await consumers.add('EVENTS', {
      ...target,
      durable_name: consumer,
      filter_subject: filter,
      ack_policy: AckPolicy.None,
    });
    const delivered = async (): Promise<number> =>
      (await consumers.info('EVENTS', consumer)).delivered.consumer_seq;
    await expect.poll(delivered).toBeGreaterThan(0);
  }

  it('a service cannot send a request by having an event delivered to one', async () => {
    const target = { deliver_subject: users.card.subject, deliver_group: 'identity' };
    await deliverAs(target, 'payments', { ids: [666] });
    // A request is handled after what was sent before it.
    await gateway.client.request(users.card, undefined, { ids: [7] });
    expect(asked).toContain(7);
    expect(asked).not.toContain(666);
  });

  /** Has the gateway ask an app whose connection is one of ours. */
  async function ask(
    nc: NatsConnection,
    contract: typeof payment,
  ): Promise<{ inbox: string; answer: Promise<{ by: string }> }> {
    const inboxes: string[] = [];
    nc.subscribe(contract.subject, {
      callback: (_, message) => void inboxes.push(message.reply ?? ''),
    });
    await nc.flush();
    const answer = gateway.client.request(contract, undefined, {});
    await expect.poll(() => inboxes).toHaveLength(1);
    return { inbox: inboxes[0] ?? '', answer };
  }

  it("a service cannot answer in another's place", async () => {
    const payments = await intruder('payments');
    const { inbox, answer } = await ask(payments.nc, payment);

    // An older JetStream delivers only where someone listens to the very subject.
    const listener = await intruder('api-gateway');
    listener.nc.subscribe(inbox, { callback: () => undefined });
    await listener.nc.flush();
    await deliverAs({ deliver_subject: inbox }, 'chat', { by: 'notifications' });
    const forger = await intruder('notifications');
    forger.nc.publish(inbox, '{"by":"notifications"}');
    await forger.nc.flush();
    await expect.poll(() => forger.denied).toHaveLength(1);
    payments.nc.publish(inbox, '{"by":"payments"}');
    expect(await answer).toEqual({ by: 'payments' });
  });

  it("a service cannot have JetStream answer in another's place, as it does not know the inbox", async () => {
    const payments = await intruder('payments');
    const forger = await intruder('notifications');
    const theirs = await ask(payments.nc, payment);
    const own = await ask(forger.nc, inboxPage);
    forger.nc.publish(own.inbox, '{"by":"notifications"}');
    await own.answer;

    // Its own inbox, of the request after, is what it can go by.
    const number = Number.parseInt(own.inbox.at(-1) ?? '', 36) - 1;
    const guess =
      own.inbox.slice(0, -1).replace('.notifications.', '.payments.') + number.toString(36);
    expect(theirs.inbox.at(-1)).toBe(guess.at(-1));
    forger.nc.publish('event.notifications.forged', '{}', { reply: guess });
    await jetstream(forger.nc).publish('event.notifications.after', '{}');
    payments.nc.publish(theirs.inbox, '{"by":"payments"}');
    expect(await theirs.answer).toEqual({ by: 'payments' });
  });

  it('a service cannot send a signal by having an event delivered as one', async () => {
    const seen: string[] = [];
    const { unsubscribe } = gateway.app
      .get(Signals)
      .subscribe(frame, ({ text }) => seen.push(text), 41);
    await gateway.flush();
    const target = { deliver_subject: 'signal.user.41.frame' };
    await deliverAs(target, 'identity', { data: { text: 'forged' } });
    // What JetStream answers to the publication of an event has the subject of the signal.
    const forger = await intruder('notifications');
    forger.nc.publish('event.notifications.forged', '{}', { reply: 'signal.user.41.frame' });
    await jetstream(forger.nc).publish('event.notifications.after', '{}');

    const chat = await intruder('chat');
    chat.nc.publish('signal.user.41.frame', '{"data":{"text":"real"}}');
    await expect.poll(() => seen).toContain('real');
    expect(seen).toEqual(['real']);
    unsubscribe();
  });

  it('chat reaches the gateways with frames for a user', async () => {
    const chat = await intruder('chat');
    const seen: string[] = [];
    const { unsubscribe } = gateway.app
      .get(Signals)
      .subscribe(frame, ({ text }, subject) => seen.push(`${subject} ${text}`), 42);
    await gateway.flush();
    chat.nc.publish('signal.user.42.frame', '{"data":{"text":"hi"}}');
    chat.nc.publish('signal.user.43.frame', '{"data":{"text":"not for you"}}');
    await expect.poll(() => seen).toEqual(['signal.user.42.frame hi']);
    unsubscribe();
    expect(() => gateway.app.get(Signals).publish(frame, { text: '' }, 'a.b')).toThrow('subject');
  });
});

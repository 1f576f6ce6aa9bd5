import { event, request, signal } from '@mentorhub/contracts';
import { testDatabase, type TestDatabase, testNats } from '@mentorhub/testing';
import { AckPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Controller } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Handle, type NatsApp, natsApps, natsServerConfig, Signals } from '../src/index.js';
import { EffectsController, recorded, addEvents, thingHappened } from './effects.js';
import { type Fixture, startGateway, startService } from './fixture.js';

const users = {
  people: request.service<{ ids: number[] }, { ids: number[] }>('identity.users.people'),
};
const refund = request.service<object, { by: string }>('payments.payments.refund');
const digest = request.service<object, { by: string }>('notifications.digests.send');
const frame = signal<{ text: string }>('user.*.frame');
const registered = event('identity.user.registered');

/** What identity was asked for. */
const asked: number[] = [];

@Controller()
class IdentityController {
  @Handle(users.people)
  people(_: unknown, { ids }: { ids: number[] }): { ids: number[] } {
    asked.push(...ids);
    return { ids };
  }
}

function passwordOf(app: NatsApp): string {
  return `pass-${app}`;
}

describe('on a nats-server with a user for each app', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let databases: TestDatabase[];
  let identity: Fixture;
  let mentorship: Fixture;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  const connections: NatsConnection[] = [];

  beforeAll(async () => {
    const passwords = Object.fromEntries(natsApps.map((app) => [app, passwordOf(app)]));
    nats = await testNats({
      config: (port, storeDirectory) =>
        natsServerConfig({ users: passwords, port, storeDirectory }),
    });
    databases = await Promise.all([testDatabase('identity'), testDatabase('mentorship')]);
    const [identityDb, mentorshipDb] = databases.map(({ url }) => url);
    const common = { natsUrl: nats.url };
    // First who has to wait for the other's stream.
    mentorship = await startService({
      ...common,
      user: { user: 'mentorship', pass: passwordOf('mentorship') },
      databaseUrl: mentorshipDb ?? '',
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
    expect(await gateway.client.request(users.people, undefined, { ids: [1] })).toEqual({
      ids: [1],
    });
    expect(await mentorship.client.request(users.people, undefined, { ids: [2] })).toEqual({
      ids: [2],
    });
    await addEvents(mentorship.database, [['1', { n: 1 }]]);
    await expect.poll(() => recorded(mentorship.database)).toEqual([1]);
  });

  it('events flow again after the broker has lost its store', async () => {
    await nats.kill();
    await nats.restart({ wipe: true });
    await addEvents(mentorship.database, [['1', { n: 2 }]]);
    await expect.poll(() => recorded(mentorship.database), { timeout: 10_000 }).toEqual([1, 2]);
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
    ['mentorship', '$JS.API.CONSUMER.CREATE.EVENTS.mentorship_chat'],
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

  /**
   * What a service that was taken over can do: tell an event, and have JetStream deliver it on another subject.
   * @param consumer one that nothing here uses yet, of those that notifications may make
   */
  async function deliverAs(
    target: { deliver_subject: string; deliver_group?: string },
    consumer: `notifications_${NatsApp}`,
    data: object,
  ): Promise<void> {
    const { nc } = await intruder('notifications');
    const { consumers } = await jetstreamManager(nc, { checkAPI: false });
    const forged = `event.notifications.forged_for_${consumer}`;
    await jetstream(nc).publish(forged, JSON.stringify(data));
    await consumers.add('EVENTS', {
      ...target,
      durable_name: consumer,
      filter_subject: forged,
      ack_policy: AckPolicy.None,
    });
    const delivered = async (): Promise<number> =>
      (await consumers.info('EVENTS', consumer)).delivered.consumer_seq;
    await expect.poll(delivered).toBe(1);
  }

  it('a service cannot send a request by having an event of its own delivered to one', async () => {
    const target = { deliver_subject: users.people.subject, deliver_group: 'identity' };
    await deliverAs(target, 'notifications_payments', { ids: [666] });
    // A request is handled after what was sent before it.
    await gateway.client.request(users.people, undefined, { ids: [7] });
    expect(asked).toContain(7);
    expect(asked).not.toContain(666);
  });

  /** Has the gateway ask an app whose connection is one of ours. */
  async function ask(
    nc: NatsConnection,
    contract: typeof refund,
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
    const { inbox, answer } = await ask(payments.nc, refund);

    // An older JetStream delivers only where someone listens to the very subject.
    const listener = await intruder('api-gateway');
    listener.nc.subscribe(inbox, { callback: () => undefined });
    await listener.nc.flush();
    await deliverAs({ deliver_subject: inbox }, 'notifications_chat', { by: 'notifications' });
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
    const theirs = await ask(payments.nc, refund);
    const own = await ask(forger.nc, digest);
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

  it('a service cannot send a signal by having an event of its own delivered as one', async () => {
    const seen: string[] = [];
    const { unsubscribe } = gateway.app
      .get(Signals)
      .subscribe(frame, ({ text }) => seen.push(text), 41);
    await gateway.flush();
    const target = { deliver_subject: 'signal.user.41.frame' };
    await deliverAs(target, 'notifications_identity', { data: { text: 'forged' } });
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

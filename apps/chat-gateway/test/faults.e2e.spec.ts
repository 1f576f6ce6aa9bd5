import type { ChildProcess } from 'node:child_process';
import { ActorSocket, type Frame, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { address, end, startWorld, type World } from './harness.js';

let world: World;

beforeAll(async () => {
  world = await startWorld('chat_gateway_faults');
  await world.startChat();
});
afterAll(() => world.stop());

/** A device as a good client is: it resumes where it was, and takes each offset once. */
class Device {
  readonly received: string[] = [];
  readonly offsets: number[] = [];
  /** The ids of what it sent, as acknowledged, by `client_id`. */
  readonly acked = new Map<string, number>();
  private socket: ActorSocket | undefined;
  private seen = 0;
  private place: { epoch: unknown; offset: number } | undefined;

  constructor(readonly userId: number) {}

  async connect(gatewayUrl: string): Promise<void> {
    this.socket = await ActorSocket.open(`${gatewayUrl}?ticket=${world.ticketFor(this.userId)}`);
    this.seen = 0;
    const { epoch, offset } = await this.socket.frame('welcome');
    if (this.place) this.send({ type: 'resume', ...this.place });
    else this.place = { epoch, offset: Number(offset) };
  }

  send(frame: Frame): void {
    this.socket?.send(frame);
  }

  onClose(listener: (code: number) => void): void {
    this.socket?.onClose(listener);
  }

  get closed(): boolean {
    return this.socket?.closed !== undefined;
  }

  /** Takes the frames that came since the last call. */
  take(): void {
    const frames = this.socket?.frames ?? [];
    for (const frame of frames.slice(this.seen)) this.takeFrame(frame);
    this.seen = frames.length;
  }

  private takeFrame(frame: Frame): void {
    if (frame.type === 'ack') this.acked.set(String(frame['client_id']), Number(frame['id']));
    if (frame.type === 'resumed' && frame['recovered'] !== true) throw new Error('not recovered');
    if (frame.type === 'welcome' || frame.type === 'resumed' || !this.place) return;
    if (frame['offset'] === undefined || Number(frame['offset']) <= this.place.offset) return;
    this.place.offset = Number(frame['offset']);
    this.offsets.push(this.place.offset);
    if (frame.type === 'message') this.received.push(String(frame['content']));
  }

  close(): void {
    this.socket?.close();
  }
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

describe('a gateway that is killed', () => {
  let child: ChildProcess;

  it('loses no acknowledged message and brings none twice to devices that connect to another one', async () => {
    const killed = await world.startGatewayProcess();
    child = killed.child;
    const other = await world.startGateway();
    const pairs = numbers(5).map((pair) => ({
      ann: new Device(pair * 2),
      bob: new Device(pair * 2 + 1),
    }));
    for (const { ann, bob } of pairs) {
      await ann.connect(killed.url);
      await bob.connect(killed.url);
    }
    const messages = (bob: Device) =>
      numbers(40).map((number) => ({
        type: 'message',
        recipient_id: bob.userId,
        content: `m${number}`,
        client_id: `${number}`,
      }));
    for (const { ann, bob } of pairs) for (const message of messages(bob)) ann.send(message);
    await expect
      .poll(() => {
        for (const { ann, bob } of pairs) [ann, bob].forEach((device) => device.take());
        return pairs.every(({ ann }) => ann.acked.size > 3);
      })
      .toBe(true);
    await end(child, 'SIGKILL');
    for (const { ann, bob } of pairs) [ann, bob].forEach((device) => device.take());
    const acked = pairs.map(({ ann }) => new Map(ann.acked));

    await Promise.all(
      pairs.flatMap(({ ann, bob }) => [ann, bob].map((device) => device.connect(address(other)))),
    );
    // What was not acknowledged is sent again.
    for (const { ann, bob } of pairs) {
      for (const message of messages(bob)) if (!ann.acked.has(message.client_id)) ann.send(message);
    }

    const texts = numbers(40).map((number) => `m${number}`);
    await expect
      .poll(
        () => {
          for (const { ann, bob } of pairs) [ann, bob].forEach((device) => device.take());
          return pairs.every(({ ann, bob }) => ann.acked.size === 40 && bob.received.length >= 40);
        },
        { timeout: 10_000 },
      )
      .toBe(true);
    for (const [index, { ann, bob }] of pairs.entries()) {
      expect(bob.received).toEqual(texts);
      expect(bob.offsets).toEqual(numbers(40));
      expect(ann.offsets).toEqual(numbers(40));
      for (const [clientId, id] of acked[index] ?? []) expect(ann.acked.get(clientId)).toBe(id);
      ann.close();
      bob.close();
    }
  }, 30_000);
});

describe('a reconnect storm', () => {
  it('brings every device all it missed, once and in order, while others go on writing', async () => {
    const gateway = await world.startGateway({ WS_RESUMES_AT_ONCE: '4' });
    const ann = new Device(50);
    await ann.connect(address(gateway));
    const bobs = numbers(40).map((number) => new Device(100 + number));
    await Promise.all(bobs.map((bob) => bob.connect(address(gateway))));
    let number = 0;
    const write = (): void => {
      number++;
      for (const bob of bobs) {
        ann.send({ type: 'message', recipient_id: bob.userId, content: `m${number}` });
      }
    };
    for (let round = 0; round < 3; round++) {
      for (const bob of bobs) {
        bob.take();
        bob.close();
      }
      for (let count = 0; count < 5; count++) write();
      await Promise.all(bobs.map((bob) => bob.connect(address(gateway))));
      write();
    }
    await expect
      .poll(
        () => {
          for (const bob of bobs) bob.take();
          return bobs.filter((bob) => bob.received.at(-1) === `m${number}`).length;
        },
        { timeout: 15_000 },
      )
      .toBe(bobs.length);
    for (const bob of bobs) {
      expect(bob.received).toEqual(numbers(number).map((count) => `m${count}`));
      expect(bob.offsets).toEqual(numbers(number));
      bob.close();
    }
    ann.close();
  }, 40_000);
});

describe('a slow reader', () => {
  it('of a long replay gets all of it in order, and holds up no other', async () => {
    const gateway = await world.startGateway();
    const ann = new Device(60);
    await ann.connect(address(gateway));
    const content = 'я'.repeat(4000);
    for (let number = 1; number <= 150; number++) {
      ann.send({ type: 'message', recipient_id: 61, content, client_id: `${number}` });
      ann.send({
        type: 'message',
        recipient_id: 62,
        content: `short ${number}`,
        client_id: `s${number}`,
      });
    }
    await expect
      .poll(
        () => {
          ann.take();
          return ann.acked.size;
        },
        { timeout: 15_000 },
      )
      .toBe(300);

    const slow = new WebSocket(`${address(gateway)}?ticket=${world.ticketFor(61)}`);
    const offsets: number[] = [];
    const resumed = new Promise<void>((resolve) => {
      slow.on('message', (data) => {
        const frame = JSON.parse((data as Buffer).toString()) as Frame;
        if (frame.type === 'welcome') {
          slow.send(JSON.stringify({ type: 'resume', epoch: frame['epoch'], offset: 0 }));
          slow.pause();
        } else if (frame.type === 'message') {
          offsets.push(Number(frame['offset']));
        } else if (frame.type === 'resumed') {
          resolve();
        }
      });
    });
    const quick = await world.socketOf(62, gateway);
    const { epoch } = await quick.frame('welcome');
    quick.send({ type: 'resume', epoch, offset: 0 });
    await quick.frame('resumed');
    expect(quick.frames.filter(({ type }) => type === 'message')).toHaveLength(150);
    expect(offsets.length).toBeLessThan(150);

    slow.resume();
    await resumed;
    expect(offsets).toEqual(numbers(150));
    slow.close();
    quick.close();
    ann.close();
  }, 40_000);
});

describe('a gateway that stops', () => {
  it('closes its sockets one by one, serves those that are left, and takes no new ones', async () => {
    const stopping = await world.startGateway({ WS_DRAIN_SECONDS: '3' });
    const other = await world.startGateway();
    const pairs = numbers(20).map((pair) => ({
      ann: new Device(200 + pair * 2),
      bob: new Device(201 + pair * 2),
    }));
    const closed: { code: number; atMs: number }[] = [];
    for (const { ann, bob } of pairs) {
      await ann.connect(address(stopping));
      await bob.connect(address(stopping));
    }
    let start = 0;
    for (const device of pairs.flatMap(({ ann, bob }) => [ann, bob])) {
      device.onClose((code) => closed.push({ code, atMs: performance.now() - start }));
    }
    const sent = new Map<Device, number>();
    const write = (): void => {
      for (const { ann, bob } of pairs) {
        if (ann.closed) continue;
        const number = (sent.get(ann) ?? 0) + 1;
        sent.set(ann, number);
        ann.send({
          type: 'message',
          recipient_id: bob.userId,
          content: `m${number}`,
          client_id: `${number}`,
        });
      }
    };
    const writing = setInterval(write, 20);
    await expect.poll(() => sent.get(pairs[0]?.ann as Device)).toBeGreaterThan(3);

    start = performance.now();
    const stopped = stopping.close();
    await expect.poll(() => closed.length).toBeGreaterThan(0);
    const refused = await refusalOf(`${address(stopping)}?ticket=${world.ticketFor(299)}`);
    expect(refused).toEqual({
      status: 503,
      retryAfter: '1',
      body: expect.objectContaining({ code: 'SERVICE_UNAVAILABLE', status_code: 503 }),
    });
    await stopped;
    clearInterval(writing);

    expect(closed.map(({ code }) => code)).toEqual(Array(40).fill(1001));
    // One every 75 ms: in no half second more than a third of them, and some in each of the three seconds.
    const inHalfSecond = numbers(6).map(
      (half) => closed.filter(({ atMs }) => Math.ceil(atMs / 500) === half).length,
    );
    expect(Math.max(...inHalfSecond)).toBeLessThanOrEqual(13);
    expect(inHalfSecond[0]).toBeGreaterThan(0);
    expect(closed.at(-1)?.atMs).toBeGreaterThan(2800);
    expect(closed.at(-1)?.atMs).toBeLessThan(4000);

    for (const { ann, bob } of pairs) [ann, bob].forEach((device) => device.take());
    // The last to go was served until then.
    expect(pairs.at(-1)?.ann.acked.size).toBeGreaterThan(pairs[0]?.ann.acked.size as number);
    const acked = pairs.map(({ ann }) => [...ann.acked.keys()]);
    await Promise.all(pairs.map(({ bob }) => bob.connect(address(other))));
    for (const [index, { bob }] of pairs.entries()) {
      const texts = acked[index]?.map((number) => `m${number}`) ?? [];
      await expect
        .poll(
          () => {
            bob.take();
            return texts.filter((text) => !bob.received.includes(text));
          },
          { timeout: 10_000 },
        )
        .toEqual([]);
      expect(bob.received).toEqual(numbers(bob.received.length).map((number) => `m${number}`));
      bob.close();
    }
  }, 40_000);

  it('does not wait for clients that left by themselves', async () => {
    const stopping = await world.startGateway({ WS_DRAIN_SECONDS: '30' });
    const sockets = await Promise.all(
      [301, 302, 303].map((user) => world.socketOf(user, stopping)),
    );
    for (const socket of sockets) socket.close();
    const start = performance.now();
    await stopping.close();
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('without NATS', () => {
  it('a gateway stays ready, answers frames and upgrades by itself, and goes on when NATS is back', async () => {
    const gateway = await world.startGateway();
    const ann = await world.socketOf(80, gateway);
    const management = `${gateway.management.url}/health/ready`;
    await world.nats.kill();
    await expect
      .poll(async () => (await fetch(management)).json(), { timeout: 5000 })
      .toMatchObject({ status: 'up', checks: { nats: { status: 'down' } } });
    expect((await fetch(management)).status).toBe(200);

    ann.send({ type: 'message', recipient_id: 81, content: 'meanwhile', client_id: 'lost' });
    expect(await ann.frame('error')).toEqual({
      type: 'error',
      code: 'unavailable',
      detail: 'This part of MentorHub is not available right now. Try again in a moment.',
      client_id: 'lost',
    });
    ann.send({ type: 'ping' });
    await ann.frame('pong');
    expect(await refusalOf(`${address(gateway)}?ticket=${world.ticketFor(82)}`)).toEqual({
      status: 503,
      retryAfter: '1',
      body: {
        detail: 'Sign-in cannot be checked right now. Try again in a moment.',
        status_code: 503,
        code: 'SERVICE_UNAVAILABLE',
        errors: [],
        request_id: expect.any(String),
      },
    });

    await world.nats.restart();
    await expect
      .poll(
        () => {
          ann.send({ type: 'message', recipient_id: 81, content: 'after', client_id: 'again' });
          return ann.frames.some(({ type, client_id: id }) => type === 'ack' && id === 'again');
        },
        { timeout: 15_000, interval: 300 },
      )
      .toBe(true);
    await expect
      .poll(async () => (await fetch(management)).json(), { timeout: 5000 })
      .toMatchObject({ status: 'up', checks: { nats: { status: 'up' } } });
    await world.ready();
    ann.close();
  }, 40_000);

  it('a gateway that never had the list of ended sign-ins is not ready', async () => {
    const nats = await testNats();
    const gateway = await world.startGateway({ NATS_URL: nats.url });
    const ready = await fetch(`${gateway.management.url}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: 'down',
      checks: { nats: { status: 'up' }, 'sign-ins': { status: 'down' } },
    });
    await gateway.close();
    await nats.stop();
  });
});

/** The answer to an upgrade that is refused. */
function refusalOf(url: string): Promise<object> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.on('open', () => reject(new Error('The upgrade was accepted.')));
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () =>
        resolve({
          status: response.statusCode,
          retryAfter: response.headers['retry-after'],
          body: JSON.parse(text),
        }),
      );
    });
  });
}

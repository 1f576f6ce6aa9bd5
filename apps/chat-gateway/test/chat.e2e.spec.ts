import type { ChildProcess } from 'node:child_process';
import type { RunningGateway } from '@mentorhub/service-kit/gateway';
import type { ActorSocket, Frame } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { end, startWorld, type World } from './harness.js';

let world: World;
let chat: ChildProcess;
let gateway: RunningGateway;
let other: RunningGateway;

beforeAll(async () => {
  world = await startWorld('chat_gateway');
  chat = await world.startChat();
  [gateway, other] = await Promise.all([
    world.startGateway({ WS_HEARTBEAT_SECONDS: '1' }),
    world.startGateway({ WS_HEARTBEAT_SECONDS: '1' }),
  ]);
});
afterAll(() => world.stop());

function messages(socket: ActorSocket): Frame[] {
  return socket.frames.filter(({ type }) => type === 'message');
}

function offsets(socket: ActorSocket): number[] {
  return socket.frames
    .filter(({ type, offset }) => type !== 'welcome' && type !== 'resumed' && offset !== undefined)
    .map(({ offset }) => Number(offset));
}

describe('a conversation', () => {
  it('is message, ack, message on the other side, and a receipt back', async () => {
    const ann = await world.socketOf(1, gateway);
    const bob = await world.socketOf(2, gateway);

    ann.send({ type: 'message', recipient_id: 2, content: 'Hello Bob', client_id: 'a1' });
    const ack = await ann.frame('ack', { client_id: 'a1' });
    const message = await bob.frame('message');

    expect(ack).toEqual({
      type: 'ack',
      client_id: 'a1',
      id: message['id'],
      chat_id: message['chat_id'],
      timestamp: message['timestamp'],
      offset: 1,
    });
    expect(message).toEqual({
      type: 'message',
      id: ack['id'],
      chat_id: ack['chat_id'],
      sender_id: 1,
      sender_username: 'user1',
      content: 'Hello Bob',
      timestamp: ack['timestamp'],
      offset: 1,
    });

    bob.send({ type: 'read', message_id: ack['id'] });
    const receipt = await ann.frame('read');
    expect(receipt).toMatchObject({ message_id: ack['id'], user_id: 2, offset: 2 });
    await bob.frame('read', { offset: 2 });
    expect(messages(ann)).toEqual([]);
    ann.close();
    bob.close();
  });

  it('takes text for content, and a chat_id for the recipient', async () => {
    const ann = await world.socketOf(3, gateway);
    const bob = await world.socketOf(4, gateway);
    ann.send({ type: 'message', recipient_id: 4, text: 'one' });
    const { chat_id: chatId } = await ann.frame('ack');
    bob.send({ type: 'message', chat_id: chatId, content: 'two' });
    expect(await ann.frame('message')).toMatchObject({ content: 'two', chat_id: chatId });
    ann.close();
    bob.close();
  });

  it('reaches every device, on any gateway, and the sending one gets the ack alone', async () => {
    const [desk, phone, bob] = await Promise.all([
      world.socketOf(5, gateway),
      world.socketOf(5, other),
      world.socketOf(6, other),
    ]);
    desk.send({ type: 'message', recipient_id: 6, content: 'hi', client_id: 'd1' });

    const copy = await phone.frame('message', { client_id: 'd1' });
    await bob.frame('message', { content: 'hi' });
    const ack = await desk.frame('ack', { client_id: 'd1' });
    expect(copy).toMatchObject({ id: ack['id'], offset: ack['offset'] });
    expect(messages(bob)[0]).not.toHaveProperty('client_id');
    bob.send({ type: 'message', recipient_id: 5, content: 'hi back' });
    await desk.frame('message', { content: 'hi back' });
    expect(messages(desk)).toHaveLength(1);
    expect(offsets(desk)).toEqual([1, 2]);
    for (const socket of [desk, phone, bob]) socket.close();
  });

  it('answers a repeated client_id with the first id', async () => {
    const ann = await world.socketOf(7, gateway);
    ann.send({ type: 'message', recipient_id: 8, content: 'once', client_id: 'c' });
    const first = await ann.frame('ack');
    ann.send({ type: 'message', recipient_id: 8, content: 'twice', client_id: 'c' });
    const again = await ann.frame('ack', { duplicate: true });
    expect(again).toEqual({
      type: 'ack',
      client_id: 'c',
      id: first['id'],
      chat_id: first['chat_id'],
      timestamp: first['timestamp'],
      duplicate: true,
    });
    ann.close();
  });

  it('keeps the order of messages sent without waiting, with both sides writing', async () => {
    const ann = await world.socketOf(9, gateway);
    const bob = await world.socketOf(10, other);
    for (let number = 0; number < 50; number++) {
      ann.send({ type: 'message', recipient_id: 10, content: `a${number}` });
      bob.send({ type: 'message', recipient_id: 9, content: `b${number}` });
    }
    await ann.frame('message', { content: 'b49' });
    await bob.frame('message', { content: 'a49' });
    await expect.poll(() => offsets(ann).length).toBe(100);
    await expect.poll(() => offsets(bob).length).toBe(100);
    const consecutive = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(offsets(ann)).toEqual(consecutive);
    expect(offsets(bob)).toEqual(consecutive);
    expect(messages(bob).map(({ content }) => content)).toEqual(
      Array.from({ length: 50 }, (_, index) => `a${index}`),
    );
    ann.close();
    bob.close();
  });

  it('passes typing on, once per two seconds, and answers a ping', async () => {
    const ann = await world.socketOf(11, gateway);
    const bob = await world.socketOf(12, other);
    ann.send({ type: 'message', recipient_id: 12, content: 'hello' });
    await bob.frame('message');
    for (let time = 0; time < 3; time++) ann.send({ type: 'typing', recipient_id: 12 });
    ann.send({ type: 'ping' });
    await ann.frame('pong');
    const typing = await bob.frame('typing');
    expect(typing).toMatchObject({ user_id: 11, username: 'user11' });
    ann.send({ type: 'message', recipient_id: 12, content: 'done' });
    await bob.frame('message', { content: 'done' });
    expect(bob.frames.filter(({ type }) => type === 'typing')).toHaveLength(1);
    ann.close();
    bob.close();
  });

  it('notifies chat partners who comes online and goes offline', async () => {
    const ann = await world.socketOf(13, gateway);
    ann.send({ type: 'message', recipient_id: 14, content: 'hello' });
    await ann.frame('ack');
    const bob = await world.socketOf(14, other);
    await ann.frame('presence', { user_id: 14, status: 'online' });
    bob.close();
    const offline = await ann.frame('presence', { status: 'offline' });
    expect(offline).toEqual({
      type: 'presence',
      user_id: 14,
      status: 'offline',
      at: expect.any(String),
    });
    ann.close();
  });
});

describe('a device that was away', () => {
  it('gets what it missed, in order, and then what is new', async () => {
    const ann = await world.socketOf(21, gateway);
    const bob = await world.socketOf(22, gateway);
    const welcome = await bob.frame('welcome');
    bob.close();
    for (let number = 0; number < 250; number++) {
      ann.send({
        type: 'message',
        recipient_id: 22,
        content: `m${number}`,
        client_id: `${number}`,
      });
    }
    await ann.frame('ack', { client_id: '249' });

    const back = await world.socketOf(22, other);
    expect(await back.frame('welcome')).toMatchObject({ epoch: welcome['epoch'], offset: 250 });
    back.send({ type: 'resume', epoch: welcome['epoch'], offset: welcome['offset'] });
    for (let number = 250; number < 300; number++) {
      ann.send({
        type: 'message',
        recipient_id: 22,
        content: `m${number}`,
        client_id: `${number}`,
      });
    }
    await back.frame('message', { content: 'm299' });

    expect(messages(back).map(({ content }) => content)).toEqual(
      Array.from({ length: 300 }, (_, index) => `m${index}`),
    );
    expect(await back.frame('resumed')).toMatchObject({ recovered: true });
    ann.close();
    back.close();
  });

  it('gets `recovered: false` when its position is of another epoch, and goes on from the end', async () => {
    const ann = await world.socketOf(23, gateway);
    const bob = await world.socketOf(24, gateway);
    ann.send({ type: 'message', recipient_id: 24, content: 'one' });
    await bob.frame('message');
    bob.send({ type: 'resume', epoch: '00000000-0000-4000-8000-000000000000', offset: 0 });
    expect(await bob.frame('resumed')).toEqual({ type: 'resumed', recovered: false, offset: 1 });
    ann.send({ type: 'message', recipient_id: 24, content: 'two' });
    expect(await bob.frame('message', { content: 'two' })).toMatchObject({ offset: 2 });
    ann.close();
    bob.close();
  });
});

describe('faults', () => {
  it('recovers when the process that committed a message died before it signalled the sockets', async () => {
    const ann = await world.socketOf(31, gateway);
    const bob = await world.socketOf(32, other);
    ann.send({ type: 'message', recipient_id: 32, content: 'before' });
    await bob.frame('message', { content: 'before' });

    await end(chat);
    const mute = await world.startChat('mute');
    ann.send({ type: 'message', recipient_id: 32, content: 'not signalled', client_id: 'u' });
    const ack = await ann.frame('ack', { client_id: 'u' });
    expect(ack).toMatchObject({ offset: 2 });
    expect(await bob.frame('message', { content: 'not signalled' })).toMatchObject({ offset: 2 });

    await end(mute);
    chat = await world.startChat();
    ann.send({ type: 'message', recipient_id: 32, content: 'after' });
    await bob.frame('message', { content: 'after' });
    expect(offsets(bob)).toEqual([1, 2, 3]);
    expect(offsets(ann)).toEqual([1, 2, 3]);
    ann.close();
    bob.close();
  });

  it('loses no acked message when chat is killed, and answers unavailable meanwhile', async () => {
    const ann = await world.socketOf(33, gateway);
    const bob = await world.socketOf(34, other);
    for (let number = 0; number < 40; number++) {
      ann.send({
        type: 'message',
        recipient_id: 34,
        content: `m${number}`,
        client_id: `${number}`,
      });
    }
    await ann.frame('ack', { client_id: '5' });
    await end(chat, 'SIGKILL');
    await ann.frame('error', { code: 'unavailable' });
    const refused = await ann.frame('error', { client_id: '39' });
    expect(refused).toMatchObject({ code: 'unavailable' });
    chat = await world.startChat();

    // A client sends again what was not acked.
    for (let number = 0; number < 40; number++) {
      ann.send({
        type: 'message',
        recipient_id: 34,
        content: `m${number}`,
        client_id: `${number}`,
      });
    }
    await ann.frameWhere(
      'the last ack',
      (frame) => frame.type === 'ack' && frame['client_id'] === '39',
    );
    await bob.frame('message', { content: 'm39' });
    const received = messages(bob).map(({ content }) => content);
    expect(received).toHaveLength(40);
    expect(new Set(received).size).toBe(40);
    const byId = new Map(messages(bob).map(({ id, content }) => [id, content]));
    for (const ack of ann.frames.filter(({ type }) => type === 'ack')) {
      expect(byId.get(ack['id'])).toBe(`m${String(ack['client_id'])}`);
    }
    ann.close();
    bob.close();
  });

  it('goes on after nats-server was killed and came back', async () => {
    const ann = await world.socketOf(35, gateway);
    const bob = await world.socketOf(36, other);
    ann.send({ type: 'message', recipient_id: 36, content: 'before' });
    await bob.frame('message', { content: 'before' });
    await world.nats.kill();
    ann.send({ type: 'message', recipient_id: 36, content: 'meanwhile' });
    await ann.frame('error', { code: 'unavailable' });
    await world.nats.restart();

    await expect
      .poll(
        () => {
          ann.send({ type: 'message', recipient_id: 36, content: 'after', client_id: 'again' });
          return ann.frames.some(({ type, client_id: id }) => type === 'ack' && id === 'again');
        },
        { timeout: 15_000, interval: 300 },
      )
      .toBe(true);
    await bob.frame('message', { content: 'after' });
    await world.ready();
    ann.close();
    bob.close();
  });

  it('sends its clients to another gateway when it stops', async () => {
    const stopping = await world.startGateway();
    const ann = await world.socketOf(37, stopping);
    const bob = await world.socketOf(38, gateway);
    for (let number = 0; number < 10; number++) {
      ann.send({
        type: 'message',
        recipient_id: 38,
        content: `m${number}`,
        client_id: `${number}`,
      });
    }
    await ann.frame('ack', { client_id: '0' });
    await stopping.close();
    expect(await ann.closing()).toMatchObject({ code: 1001 });
    const acked = ann.frames.filter(({ type }) => type === 'ack').length;
    await expect.poll(() => messages(bob).length).toBe(acked);
    bob.close();
  });
});

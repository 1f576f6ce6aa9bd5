import type { System } from '@mentorhub/local-system';
import { Actor, ActorSocket, verificationToken } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { story } from '../src/story.js';
import { admin, startedSystem } from './started-system.js';

describe('the system with two replicas of each gateway', () => {
  let system: System;
  let stop: () => Promise<void>;
  let log: readonly string[];

  beforeAll(async () => {
    ({ system, stop, log } = await startedSystem({
      replicas: { 'api-gateway': 2, 'chat-gateway': 2 },
    }));
  }, 180_000);

  afterAll(() => stop());

  async function signUp(name: string): Promise<Actor> {
    const actor = new Actor(system.urls.edge, name);
    const credentials = { email: `${name}@replicas.example`, password: 'the password of somebody' };
    await actor.post('/api/v1/auth/register', { ...credentials, full_name: name, role: 'student' });
    await actor.signIn(credentials);
    const token = await verificationToken(system.urls.edge, credentials.email);
    await actor.post('/api/v1/email/verify-email', { token });
    return actor;
  }

  async function openAt(actor: Actor, gateway: number): Promise<ActorSocket> {
    const { ticket } = await actor.post<{ ticket: string }>('/api/v1/ws/ticket');
    const address = system.urls.chatGateways[gateway]!.replace(/^http/, 'ws');
    const socket = await ActorSocket.open(`${address}/ws/chat?ticket=${ticket}`, actor.name);
    await socket.frame('welcome');
    return socket;
  }

  describe('the story', () => {
    let scenes: ReturnType<typeof story>;
    // The scenes need the running system, their titles do not.
    const titles = story({ baseUrl: 'http://localhost', admin }).map(({ title }) => title);

    beforeAll(() => {
      scenes = story({ baseUrl: system.urls.edge, admin });
    });

    it.each(titles)(
      '%s',
      async (title) => {
        const scene = scenes.find((candidate) => candidate.title === title);
        await expect(scene?.play()).resolves.toBeUndefined();
      },
      60_000,
    );
  });

  describe('over both chat-gateways', () => {
    it('people on different replicas reach each other, and the other devices of the sender get the message too', async () => {
      const [anna, boris] = [await signUp('anna'), await signUp('boris')];
      const [annaHere, annaThere, borisThere] = [
        await openAt(anna, 0),
        await openAt(anna, 1),
        await openAt(boris, 1),
      ];
      annaHere.send({
        type: 'message',
        recipient_id: boris.userId,
        content: 'Hi',
        client_id: 'c-1',
      });
      const ack = await annaHere.frame('ack', { client_id: 'c-1' });
      await borisThere.frame('message', { id: ack.id, content: 'Hi' });
      await annaThere.frame('message', { id: ack.id, client_id: 'c-1' });

      const online = async (): Promise<number[]> => {
        const { users } = await boris.get<{ users: { id: number }[] }>('/api/v1/ws/online-users');
        return users.map(({ id }) => id);
      };
      // Those whom Boris shares a chat with; the devices of the other tests are none of them.
      await expect.poll(online).toEqual([anna.userId]);
      for (const socket of [annaHere, annaThere, borisThere]) socket.close();
    });

    it('one unread notification is kept of a chat, and reading the chat lets the next message notify again', async () => {
      const [frida, gustav] = [await signUp('frida'), await signUp('gustav')];
      const write = (text: string) =>
        frida.post<{ id: number }>('/api/v1/messages', { recipient_id: gustav.userId, text });
      const notifications = async () => {
        const { items } = await gustav.get<{
          items: { is_read: boolean; data: { message_id: number } }[];
        }>('/api/v1/notifications?type=new_message');
        return items.map(({ is_read, data }) => ({ is_read, message_id: data.message_id }));
      };
      const first = await write('Hello');
      await expect.poll(notifications).toEqual([{ is_read: false, message_id: first.id }]);

      const second = await write('Are you there?');
      await gustav.post(`/api/v1/messages/${second.id}/read`);
      await expect.poll(notifications).toEqual([{ is_read: true, message_id: first.id }]);

      const third = await write('Good to see you.');
      await expect.poll(notifications).toEqual([
        { is_read: false, message_id: third.id },
        { is_read: true, message_id: first.id },
      ]);
    });

    it('signing out ends the session on every replica at once', async () => {
      const carol = await signUp('carol');
      const [here, there] = [await openAt(carol, 0), await openAt(carol, 1)];
      await carol.call('POST', '/api/v1/auth/logout', undefined, { expect: 204 });
      expect((await here.closing()).code).toBe(4401);
      expect((await there.closing()).code).toBe(4401);
      for (const gateway of system.urls.apiGateways) {
        const again = new Actor(gateway, 'carol');
        again.accessToken = carol.accessToken;
        await again.get('/api/v1/users/me', { expect: 401 });
      }
    });

    it('a message sent on one replica after the other has died is not lost', async () => {
      const [dora, emil] = [await signUp('dora'), await signUp('emil')];
      const doraHere = await openAt(dora, 0);
      const emilThere = await openAt(emil, 1);
      const welcome = emilThere.frames[0]!;
      await system.kill('chat-gateway', 1);
      await emilThere.closing();
      doraHere.send({
        type: 'message',
        recipient_id: emil.userId,
        content: 'Are you there?',
        client_id: 'd-1',
      });
      const ack = await doraHere.frame('ack', { client_id: 'd-1' });

      const emilHere = await openAt(emil, 0);
      emilHere.send({ type: 'resume', epoch: welcome.epoch, offset: welcome.offset });
      await emilHere.frame('resumed', { recovered: true });
      expect(
        emilHere.frames.filter(({ id, type }) => type === 'message' && id === ack.id),
      ).toHaveLength(1);
      doraHere.close();
      emilHere.close();
      await system.ready();
    });
  });

  it('writes no email address and no password into its logs', () => {
    expect(log.length).toBeGreaterThan(0);
    expect(log.filter((line) => /[\w.+-]+@[\w-]+\.example|the password of/.test(line))).toEqual([]);
  });
});

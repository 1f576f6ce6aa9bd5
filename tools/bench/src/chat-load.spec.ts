import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { livelyChat } from './chat-load.js';

const epoch = 'e1';

interface Sent {
  type: string;
  offset: number;
  recipient_id: number;
  content: string;
  client_id: string;
}

/** A chat of one process that keeps its promises: each user's log, with every message at the same place for everyone. */
class Chat {
  private readonly server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  private readonly logs = new Map<number, { frame: object }[]>();
  private readonly sockets = new Map<number, WebSocket>();
  private readonly known = new Map<string, number>();
  private lastId = 0;

  async start(): Promise<string> {
    await once(this.server, 'listening');
    this.server.on('connection', (socket, { url }) => {
      const userId = Number(url?.slice(1));
      this.sockets.set(userId, socket);
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as Sent;
        if (frame.type === 'message') this.store(userId, frame);
        if (frame.type === 'resume') this.replay(userId, frame.offset);
      });
      this.send(userId, { type: 'welcome', epoch, offset: this.log(userId).length });
    });
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const client of this.server.clients) client.terminate();
    this.server.close();
  }

  private store(userId: number, { recipient_id: recipientId, client_id, content }: Sent): void {
    const known = this.known.get(client_id);
    if (known !== undefined) {
      return this.send(userId, { type: 'ack', id: known, client_id, duplicate: true });
    }
    const id = (this.lastId += 1);
    this.known.set(client_id, id);
    const own = this.append(userId, { type: 'message', id, content, client_id });
    this.send(userId, { type: 'ack', id, client_id, offset: own });
    const offset = this.append(recipientId, { type: 'message', id, content });
    this.send(recipientId, { type: 'message', id, content, offset });
  }

  private replay(userId: number, from: number): void {
    for (const { frame } of this.log(userId).slice(from)) this.send(userId, frame);
    this.send(userId, { type: 'resumed', recovered: true, offset: this.log(userId).length });
  }

  private log(userId: number): { frame: object }[] {
    const log = this.logs.get(userId) ?? [];
    this.logs.set(userId, log);
    return log;
  }

  private append(userId: number, frame: object): number {
    const log = this.log(userId);
    const offset = log.length + 1;
    log.push({ frame: { ...frame, offset } });
    return offset;
  }

  private send(userId: number, frame: object): void {
    this.sockets.get(userId)?.send(JSON.stringify(frame));
  }
}

let chat: Chat | undefined;
afterEach(() => chat?.stop());

it('misses nothing of a chat that keeps its promises, however early the first device writes', async () => {
  chat = new Chat();
  const url = await chat.start();
  const clients = [
    { url: `${url}/1`, recipientId: 2 },
    { url: `${url}/2`, recipientId: 1 },
  ];
  expect(await livelyChat(clients, 0.4, true)).toBeGreaterThan(0);
}, 20_000);

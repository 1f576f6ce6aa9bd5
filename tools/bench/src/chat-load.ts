import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** One client of a chat: where it connects, and whom it writes to. */
export interface ChatClient {
  url: string;
  recipientId: number;
}

interface Frame {
  type: string;
  client_id?: string;
  content?: string;
  code?: string;
}

const ackStart = Buffer.from('{"type":"ack"');
const messageStart = Buffer.from('{"type":"message"');

const startsWith = (data: Buffer, start: Buffer): boolean =>
  data.length >= start.length && start.compare(data, 0, start.length) === 0;

const text = 'A message of about eighty characters, as people write them to each other in a chat.';

async function open(clients: readonly ChatClient[]): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  for (const { url } of clients) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    sockets.push(socket);
    // Greeted, it gets every message from now on; what was stored before is history.
    await once(socket, 'message');
  }
  return sockets;
}

async function close(sockets: readonly WebSocket[]): Promise<void> {
  await Promise.all(
    sockets.map((socket) => {
      const closed = once(socket, 'close');
      socket.close();
      return closed;
    }),
  );
}

function refuse({ type, code }: Frame): void {
  if (type === 'error') throw new Error(`The chat answered an error frame: ${code}.`);
}

/** Each client sends its next message when the last one is acknowledged. Returns acknowledged messages a second. */
export async function closedLoopChat(
  clients: readonly ChatClient[],
  seconds: number,
): Promise<number> {
  const sockets = await open(clients);
  let acknowledged = 0;
  let running = true;
  for (const [index, socket] of sockets.entries()) {
    const recipient_id = clients[index]!.recipientId;
    let sequence = 0;
    const sendNext = (): void => {
      const client_id = `${process.pid}-${index}-${Date.now()}-${(sequence += 1)}`;
      socket.send(JSON.stringify({ type: 'message', recipient_id, content: text, client_id }));
    };
    socket.on('message', (data: Buffer) => {
      // The load shares the machine with what it measures: it reads no more of a frame than it must.
      if (startsWith(data, ackStart)) {
        acknowledged += 1;
        if (running) sendNext();
      } else if (!startsWith(data, messageStart)) {
        refuse(JSON.parse(data.toString()) as Frame);
      }
    });
    sendNext();
  }
  await delay(1000);
  const before = acknowledged;
  const started = performance.now();
  await delay(seconds * 1000);
  const rate = (acknowledged - before) / ((performance.now() - started) / 1000);
  running = false;
  await close(sockets);
  return rate;
}

/** Sends at a steady rate and returns how many milliseconds each message took to the other socket. */
export async function pacedChat(
  clients: readonly ChatClient[],
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const sockets = await open(clients);
  const sentAt: number[] = [];
  const latencies = new Map<number, number>();
  for (const socket of sockets) {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Frame;
      refuse(frame);
      if (frame.type !== 'message' || frame.client_id) return;
      const message = Number(frame.content);
      latencies.set(message, performance.now() - sentAt[message]!);
    });
  }
  const started = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; sent += 1) {
    const due = started + (sent * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 1) await delay(early);
    const index = sent % sockets.length;
    sentAt[sent] = performance.now();
    sockets[index]!.send(
      JSON.stringify({
        type: 'message',
        recipient_id: clients[index]!.recipientId,
        content: String(sent),
        client_id: `paced-${process.pid}-${started}-${sent}`,
      }),
    );
  }
  const limit = performance.now() + 10_000;
  while (latencies.size < total && performance.now() < limit) await delay(20);
  await close(sockets);
  const missing = Array.from(sentAt.keys()).filter((message) => !latencies.has(message));
  if (missing.length > 0) {
    throw new Error(
      `Of ${total} messages these did not arrive within 10 s: ${missing.join(', ')}.`,
    );
  }
  return [...latencies.values()];
}

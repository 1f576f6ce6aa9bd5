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
  id?: number;
  client_id?: string;
  content?: string;
  code?: string;
  epoch?: string;
  offset?: number;
  duplicate?: boolean;
  recovered?: boolean;
}

const ackStart = Buffer.from('{"type":"ack"');
const messageStart = Buffer.from('{"type":"message"');
const drainMs = 10_000;

const startsWith = (data: Buffer, start: Buffer): boolean =>
  data.length >= start.length && start.compare(data, 0, start.length) === 0;

const parse = (data: Buffer): Frame => JSON.parse(data.toString()) as Frame;

const text = 'A message of about eighty characters, as people write them to each other in a chat.';

/** Opens a socket and waits for its first frame: from then on it gets every message. */
async function openOne(url: string): Promise<{ socket: WebSocket; welcome: Frame }> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  const [data] = (await once(socket, 'message')) as [Buffer];
  return { socket, welcome: parse(data) };
}

async function open(clients: readonly ChatClient[]): Promise<WebSocket[]> {
  const sockets: WebSocket[] = [];
  for (const { url } of clients) sockets.push((await openOne(url)).socket);
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

/** Waits for messages still in flight after the load ended; false when they do not arrive. */
async function drained(isDone: () => boolean): Promise<boolean> {
  const limit = performance.now() + drainMs;
  while (!isDone()) {
    if (performance.now() > limit) return false;
    await delay(20);
  }
  return true;
}

/**
 * Each client sends its next message when the last one is acknowledged. Returns messages a second that were both
 * acknowledged and delivered to the recipient's socket.
 * @throws when an acknowledged message does not arrive within 10 s
 */
export async function closedLoopChat(
  clients: readonly ChatClient[],
  seconds: number,
): Promise<number> {
  const sockets = await open(clients);
  let [sent, acknowledged, delivered] = [0, 0, 0];
  let running = true;
  for (const [index, socket] of sockets.entries()) {
    const recipient_id = clients[index]!.recipientId;
    const sendNext = (): void => {
      const client_id = `${process.pid}-${index}-${Date.now()}-${(sent += 1)}`;
      socket.send(JSON.stringify({ type: 'message', recipient_id, content: text, client_id }));
    };
    socket.on('message', (data: Buffer) => {
      // The load shares the machine with what it measures: it reads no more of a frame than it must.
      if (startsWith(data, ackStart)) {
        acknowledged += 1;
        if (running) sendNext();
      } else if (startsWith(data, messageStart)) {
        delivered += 1;
      } else {
        refuse(parse(data));
      }
    });
    sendNext();
  }
  await delay(1000);
  const before = { acknowledged, delivered };
  const started = performance.now();
  await delay(seconds * 1000);
  const elapsed = (performance.now() - started) / 1000;
  const done = Math.min(acknowledged - before.acknowledged, delivered - before.delivered);
  running = false;
  const complete = await drained(() => acknowledged === sent && delivered === sent);
  await close(sockets);
  if (!complete) {
    throw new Error(
      `Of ${sent} messages ${acknowledged} were acknowledged and ${delivered} delivered.`,
    );
  }
  return done / elapsed;
}

const readEvery = 10;
const duplicateEvery = 20;
const reconnectsPerSecond = 5;

/** A device that writes, reads, repeats itself and loses its connection. */
class LivelyClient {
  private socket?: WebSocket;
  /** Where the device is in its user's event log. */
  private position?: { epoch: string; offset: number };
  private resuming = false;
  private inFlight?: string;
  private sent = 0;
  private readonly seen = new Set<number>();
  running = true;
  acknowledged = 0;
  failure?: Error;
  /** Ids of the messages that were acknowledged to this device. */
  readonly written = new Set<number>();

  constructor(
    private readonly client: ChatClient,
    private readonly name: string,
    private readonly recovers: boolean,
  ) {}

  /** Opens the connection. What others write from then on must arrive. */
  async connect(): Promise<void> {
    const { socket, welcome } = await openOne(this.client.url);
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      try {
        this.take(parse(data));
      } catch (error) {
        this.failure ??= error as Error;
      }
    });
    if (this.recovers) this.position ??= { epoch: welcome.epoch!, offset: welcome.offset! };
  }

  /** Writes the first message; each of the others follows the acknowledgement of the one before. */
  start(): void {
    this.write();
  }

  /** Loses the connection without a word, and comes back. */
  async reconnect(): Promise<void> {
    this.socket?.removeAllListeners('message');
    this.socket?.terminate();
    await this.connect();
    if (this.recovers) this.resume();
    else this.write();
  }

  async close(): Promise<void> {
    if (this.socket) await close([this.socket]);
  }

  has(id: number): boolean {
    return this.seen.has(id);
  }

  get isIdle(): boolean {
    return this.inFlight === undefined;
  }

  private resume(): void {
    this.resuming = true;
    this.socket?.send(JSON.stringify({ type: 'resume', ...this.position }));
  }

  /**
   * Whether a frame is the next of the log. What is behind it was there before; what is ahead of it comes again when
   * the device has resumed.
   */
  private isNext({ offset }: Frame): boolean {
    if (offset === undefined || !this.position) return true;
    if (offset === this.position.offset + 1) {
      this.position.offset = offset;
      return true;
    }
    if (offset > this.position.offset && !this.resuming) this.resume();
    return false;
  }

  private take(frame: Frame): void {
    refuse(frame);
    if (frame.type === 'resumed') {
      if (frame.recovered !== true) throw new Error('A device could not resume its event log.');
      this.position!.offset = frame.offset!;
      this.resuming = false;
      return this.write();
    }
    const isNext = this.isNext(frame);
    if (frame.type === 'ack') {
      this.written.add(frame.id!);
      if (frame.client_id !== this.inFlight) return;
      if (frame.duplicate !== true) this.acknowledged += 1;
      const isRepeated = this.sent % duplicateEvery === 0 && frame.duplicate !== true;
      if (!isRepeated || !this.running) this.inFlight = undefined;
      if (this.running) this.write();
    } else if (frame.type === 'message' && frame.client_id === undefined && isNext) {
      if (this.seen.has(frame.id!)) throw new Error(`Message ${frame.id} was delivered twice.`);
      this.seen.add(frame.id!);
      if (this.seen.size % readEvery === 0) {
        this.socket?.send(JSON.stringify({ type: 'read', message_id: frame.id }));
      }
    }
  }

  /** Sends the message in flight again, or the next one. */
  private write(): void {
    if (this.inFlight === undefined) {
      if (!this.running) return;
      this.inFlight = `${this.name}-${(this.sent += 1)}`;
    }
    this.socket?.send(
      JSON.stringify({
        type: 'message',
        recipient_id: this.client.recipientId,
        content: text,
        client_id: this.inFlight,
      }),
    );
  }
}

/**
 * A chat as devices behave: each tenth message is followed by a read receipt, each twentieth is sent twice, and five
 * devices a second lose their connection and resume. Returns messages a second, each counted once.
 * @param recovers whether the server keeps an event log to resume from; then every acknowledged message must arrive,
 *   exactly once
 */
export async function livelyChat(
  clients: readonly ChatClient[],
  seconds: number,
  recovers: boolean,
): Promise<number> {
  const run = `lively-${process.pid}-${Date.now()}`;
  const devices = clients.map(
    (client, index) => new LivelyClient(client, `${run}-${index}`, recovers),
  );
  // Nobody writes before everybody follows the log: what was there at the welcome is not delivered.
  for (const device of devices) await device.connect();
  for (const device of devices) device.start();
  const total = (): number => devices.reduce((sum, device) => sum + device.acknowledged, 0);
  await delay(1000);
  const before = total();
  const started = performance.now();
  for (let count = 0; count < seconds * reconnectsPerSecond; count += 1) {
    await devices[(count * 7) % devices.length]!.reconnect();
    const due = started + ((count + 1) * 1000) / reconnectsPerSecond;
    await delay(Math.max(0, due - performance.now()));
  }
  const rate = (total() - before) / ((performance.now() - started) / 1000);
  for (const device of devices) device.running = false;
  const missing = (): number =>
    devices.reduce(
      (sum, device, index) =>
        sum + [...device.written].filter((id) => !partnerOf(devices, index).has(id)).length,
      0,
    );
  const complete = await drained(
    () => devices.every((device) => device.isIdle) && (!recovers || missing() === 0),
  );
  await Promise.all(devices.map((device) => device.close()));
  for (const { failure } of devices) if (failure) throw failure;
  if (!complete) throw new Error(`${missing()} acknowledged messages were not delivered.`);
  return rate;
}

/** Neighbours write to each other: 0 ↔ 1, 2 ↔ 3, … */
export const partnerOf = <Of>(all: readonly Of[], index: number): Of =>
  all[index % 2 === 0 ? index + 1 : index - 1]!;

/**
 * Sends at a steady rate and returns how many milliseconds each message took to the other socket, counted from when it
 * was due: a load that falls behind does not hide what it waited for.
 */
export async function pacedChat(
  clients: readonly ChatClient[],
  perSecond: number,
  seconds: number,
): Promise<number[]> {
  const sockets = await open(clients);
  const dueAt: number[] = [];
  const latencies = new Map<number, number>();
  for (const socket of sockets) {
    socket.on('message', (data: Buffer) => {
      const frame = parse(data);
      refuse(frame);
      if (frame.type !== 'message' || frame.client_id) return;
      const message = Number(frame.content);
      latencies.set(message, performance.now() - dueAt[message]!);
    });
  }
  const started = performance.now();
  const total = perSecond * seconds;
  for (let sent = 0; sent < total; sent += 1) {
    const due = started + (sent * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 1) await delay(early);
    const index = sent % sockets.length;
    dueAt[sent] = due;
    sockets[index]!.send(
      JSON.stringify({
        type: 'message',
        recipient_id: clients[index]!.recipientId,
        content: String(sent),
        client_id: `paced-${process.pid}-${started}-${sent}`,
      }),
    );
  }
  await drained(() => latencies.size === total);
  await close(sockets);
  const missing = Array.from(dueAt.keys()).filter((message) => !latencies.has(message));
  if (missing.length > 0) {
    throw new Error(
      `Of ${total} messages these did not arrive within 10 s: ${missing.join(', ')}.`,
    );
  }
  return [...latencies.values()];
}

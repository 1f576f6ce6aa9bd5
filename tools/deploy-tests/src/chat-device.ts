import { setTimeout as delay } from 'node:timers/promises';
import type { Actor } from '@mentorhub/testing';

interface Frame {
  type: string;
  id?: number;
  client_id?: string;
  code?: string;
  epoch?: string;
  offset?: number;
  recovered?: boolean;
}

/** Closed because the gateway stops. */
const draining = 1001;
const welcomeTimeoutMs = 10_000;

export interface DeviceOptions {
  /** Whose device it is. Its requests for tickets go the way of all requests. */
  owner: Actor;
  name: string;
  /** Whom it writes to; without, it only reads. */
  recipientId?: number;
  /** The pause after an acknowledged message, in milliseconds. */
  pauseMs: number;
}

/**
 * A device that behaves as docs/realtime.md says: it follows the log of its user by offset, reconnects with jitter when
 * the gateway stops, resumes from its place, and sends again what was not acknowledged.
 */
export class ChatDevice {
  /** How often each message was shown, by its id. */
  readonly shown = new Map<number, number>();
  /** Ids of the messages that were acknowledged to this device. */
  readonly acknowledged = new Set<number>();
  /** What must not happen. */
  readonly failures: string[] = [];
  reconnects = 0;
  private socket?: WebSocket;
  private position?: { epoch: string; offset: number };
  private resuming = false;
  private inFlight?: string;
  private sent = 0;
  private writing = false;
  private leaving = false;

  constructor(private readonly options: DeviceOptions) {}

  get idle(): boolean {
    return this.inFlight === undefined && !this.resuming;
  }

  /** Resolves when it follows the log: what is written from then on must be shown. */
  async connect(): Promise<void> {
    const { ticket } = await this.options.owner.post<{ ticket: string }>('/api/v1/ws/ticket');
    const url = new URL('/ws/chat', this.options.owner.baseUrl);
    url.protocol = 'ws:';
    url.searchParams.set('ticket', ticket);
    const socket = new WebSocket(url);
    this.socket = socket;
    const welcome = await new Promise<Frame>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no welcome')), welcomeTimeoutMs);
      socket.addEventListener('close', ({ code }) => {
        clearTimeout(timer);
        reject(new Error(`closed with ${code} before the welcome`));
      });
      socket.addEventListener('error', () => undefined);
      const first = ({ data }: MessageEvent): void => {
        clearTimeout(timer);
        socket.removeEventListener('message', first);
        resolve(JSON.parse(String(data)) as Frame);
      };
      socket.addEventListener('message', first);
    });
    socket.addEventListener('message', ({ data }) => this.take(JSON.parse(String(data)) as Frame));
    socket.addEventListener('close', ({ code, reason }) => void this.closed(code, reason));
    if (welcome.type !== 'welcome') throw new Error(`${welcome.type} instead of a welcome`);
    if (this.position === undefined) {
      this.position = { epoch: welcome.epoch!, offset: welcome.offset! };
      this.write();
    } else {
      this.resume();
    }
  }

  start(): void {
    this.writing = true;
    this.write();
  }

  /** Writes no further message; the last one is still acknowledged. */
  finish(): void {
    this.writing = false;
  }

  close(): void {
    this.leaving = true;
    this.socket?.close();
  }

  private fail(what: string): void {
    this.failures.push(`${new Date().toISOString()} ${this.options.name}: ${what}`);
  }

  private async closed(code: number, reason: string): Promise<void> {
    if (this.leaving) return;
    if (code !== draining) this.fail(`closed with ${code} ${reason}`);
    for (let attempt = 1; ; attempt += 1) {
      await delay(Math.random() * 1000);
      if (this.leaving) return;
      try {
        this.reconnects += 1;
        await this.connect();
        return;
      } catch (error) {
        this.fail(`could not reconnect, attempt ${attempt}: ${String(error)}`);
        await delay(1000);
      }
    }
  }

  private resume(): void {
    this.resuming = true;
    this.send({ type: 'resume', ...this.position });
  }

  private send(frame: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  /** Whether what carries an offset is the next of the log. What is ahead of it comes again after a resume. */
  private isNext(offset: number | undefined): boolean {
    if (offset === undefined || this.position === undefined) return false;
    if (offset === this.position.offset + 1) {
      this.position.offset = offset;
      return true;
    }
    if (offset > this.position.offset && !this.resuming) this.resume();
    return false;
  }

  private take(frame: Frame): void {
    if (frame.type === 'error') {
      this.fail(`was answered the error ${frame.code}`);
    } else if (frame.type === 'resumed') {
      if (frame.recovered !== true) this.fail('could not resume');
      this.position!.offset = frame.offset!;
      this.resuming = false;
      this.write();
    } else if (frame.type === 'ack') {
      this.acknowledged.add(frame.id!);
      // Without an offset the message itself comes as a frame, or has come.
      if (this.isNext(frame.offset)) this.show(frame.id!);
      if (frame.client_id === this.inFlight) {
        this.inFlight = undefined;
        setTimeout(() => this.write(), this.options.pauseMs * (0.5 + Math.random()));
      }
    } else if (frame.type === 'message') {
      if (this.isNext(frame.offset)) this.show(frame.id!);
    } else {
      this.isNext(frame.offset);
    }
  }

  private show(id: number): void {
    this.shown.set(id, (this.shown.get(id) ?? 0) + 1);
  }

  /** Sends the message in flight again, or the next one. */
  private write(): void {
    const { recipientId, name } = this.options;
    if (recipientId === undefined || this.resuming) return;
    if (this.inFlight === undefined) {
      if (!this.writing) return;
      this.inFlight = `${name}-${(this.sent += 1)}`;
    }
    this.send({
      type: 'message',
      recipient_id: recipientId,
      content: `Message ${this.inFlight}`,
      client_id: this.inFlight,
    });
  }
}

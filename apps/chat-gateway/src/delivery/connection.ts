import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  type AckFrame,
  type Caller,
  closeCodes,
  type DurableFrame,
  type LogCursor,
  type LogPosition,
  type LogSlice,
  type ServerFrame,
} from '@mentorhub/contracts';
import type { WebSocket } from 'ws';
import { framesOut } from '../metrics.js';

/** A frame for several sockets, serialised once. */
export class OutgoingFrame<Frame extends ServerFrame = ServerFrame> {
  private bytes: Buffer | undefined;

  constructor(
    readonly frame: Frame,
    /** The post, and its socket, that the message came with. */
    readonly origin?: string,
  ) {}

  get data(): Buffer {
    return (this.bytes ??= Buffer.from(JSON.stringify(this.frame)));
  }
}

/** A socket that has this much waiting is too slow. */
const maxBufferedBytes = 1_048_576;
/** A replay pauses here, so that it does not make the socket look slow. */
const replayBufferedBytes = 131_072;
/** The longest that the reader of a replayed page may take: 4 KB a second. */
const maxPageMs = 30_000;
/** Live frames kept while a replay runs; beyond, they are read from the log afterwards. */
const maxQueued = 1000;

/** A message on its way to being acknowledged. */
interface Awaited {
  readonly origin: string;
  readonly resolve: () => void;
}

type Phase = 'opening' | 'live' | 'replaying' | 'closed';

/**
 * One open socket: what it has been sent of its user's event log, and how. Durable frames go out strictly by offset:
 * while the socket is being opened or replayed to, live ones wait.
 */
export class Connection {
  /** Unique among all gateways. Short, as it travels with every message. */
  readonly id = randomBytes(9).toString('base64url');
  /** Set once the client has proved who it is. */
  caller: Caller | undefined;
  /** Unix milliseconds when the access token ends, or the session of the ticket, that let the client in. */
  expiresAt: number | undefined;
  /** Heartbeats since the client last sent anything. */
  missedHeartbeats = 0;
  /** In which part of the interval it is pinged; see Connections. */
  beat = 0;
  private phase: Phase = 'opening';
  private position = 0;
  private queue: OutgoingFrame<DurableFrame>[] = [];
  /** Set while a message from this socket waits for its acknowledgement. */
  private awaited: Awaited | undefined;
  /** Resolves when the last page of a replay is out of this process. */
  private pageSent: Promise<void> | undefined;
  private sent = 0;

  private joining = false;

  /** @param stream what the socket writes to */
  constructor(
    readonly socket: WebSocket,
    private readonly stream: Duplex,
  ) {}

  get open(): boolean {
    return this.phase !== 'closed';
  }

  /** Sends a frame that is not part of the log. */
  send(frame: ServerFrame): void {
    this.write(JSON.stringify(frame));
  }

  /** Passes on what is worth something only now. */
  sendIfLive(outgoing: OutgoingFrame): void {
    if (this.phase === 'live') this.write(outgoing.data);
  }

  /** Places the socket at the end of the log; frames that arrived meanwhile follow. */
  start(head: LogPosition): void {
    this.position = head.offset;
    this.goLive();
  }

  /** Takes the next frame of the log. What the socket has is skipped; a message sent on this socket becomes its `ack`. */
  deliver(outgoing: OutgoingFrame<DurableFrame>): void {
    if (this.phase === 'live') {
      this.deliverNow(outgoing);
    } else if (this.phase !== 'closed') {
      this.queue.push(outgoing);
      if (this.queue.length > maxQueued) this.queue.shift();
    }
  }

  /** The log this socket follows cannot be continued: its client must fetch over REST. */
  lose(head: LogPosition): void {
    if (this.phase !== 'live') return;
    this.position = head.offset;
    this.send({ type: 'resumed', recovered: false, offset: head.offset });
  }

  /**
   * Replays what follows an offset, page after page, then says `resumed`; live frames wait meanwhile.
   * @param readPage reads a page of the log, which may have to wait for its turn
   */
  async replay(from: LogPosition, readPage: (from: LogCursor) => Promise<LogSlice>): Promise<void> {
    if (this.phase !== 'live') return;
    this.phase = 'replaying';
    const before = this.position;
    let place: LogCursor = { epoch: from.epoch, offset: from.offset };
    try {
      let resumed = false;
      for (;;) {
        await this.pageTaken();
        if (!this.open) return;
        const page = await readPage(place);
        if (!this.open) return;
        this.writePage(page);
        const { epoch, offset, after_message_id } = page;
        place = { epoch, offset, after_message_id };
        this.position = offset;
        if (page.has_more) continue;
        if (!resumed || !page.recovered) {
          this.send({ type: 'resumed', recovered: page.recovered, offset });
          resumed = true;
        }
        this.queue = this.queue.filter(({ frame }) => frame.offset > offset);
        const [next] = this.queue;
        // More came than could be kept: read on.
        if (!next || next.frame.offset === offset + 1) break;
      }
    } catch (error) {
      // The client may ask again; until then it goes on from where it was.
      this.position = Math.max(before, this.position);
      throw error;
    } finally {
      this.goLive();
    }
  }

  /**
   * Sends a message and waits until it is acknowledged: its own signal turns into the `ack`, or the answer is sent.
   * @param send gets what makes the signal recognisable
   * @throws what the answer rejects with, unless the signal came first
   */
  acknowledge(send: (origin: string) => Promise<AckFrame>): Promise<void> {
    const origin = `${this.id}:${++this.sent}`;
    return new Promise((resolve, reject) => {
      const awaited = { origin, resolve };
      this.awaited = awaited;
      this.acknowledgeByAnswer(awaited, send(origin)).then(resolve, reject);
    });
  }

  close(code: number, reason: string): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    this.queue = [];
    // The answer to the close must be read.
    this.socket.resume();
    this.socket.close(code, reason);
  }

  /** The socket is gone. */
  markClosed(): void {
    this.phase = 'closed';
    this.queue = [];
  }

  private goLive(): void {
    if (this.phase === 'closed') return;
    this.phase = 'live';
    const { queue } = this;
    this.queue = [];
    for (const outgoing of queue) this.deliverNow(outgoing);
  }

  private deliverNow(outgoing: OutgoingFrame<DurableFrame>): void {
    const { frame, origin } = outgoing;
    if (frame.offset <= this.position) return;
    this.position = frame.offset;
    const { awaited } = this;
    if (awaited && origin === awaited.origin && frame.type === 'message') {
      const { client_id, id, chat_id, timestamp, offset } = frame;
      this.send({ type: 'ack', client_id, id, chat_id, timestamp, offset });
      this.awaited = undefined;
      awaited.resolve();
    } else {
      this.write(outgoing.data);
    }
  }

  private async acknowledgeByAnswer(awaited: Awaited, answer: Promise<AckFrame>): Promise<void> {
    try {
      const ack = await answer;
      if (this.awaited === awaited) this.sendAck(ack);
    } finally {
      if (this.awaited === awaited) this.awaited = undefined;
    }
  }

  private sendAck(ack: AckFrame): void {
    const { offset, ...rest } = ack;
    if (offset === this.position + 1 && this.phase === 'live') {
      this.position = offset;
      this.send(ack);
    } else {
      // Its place in the log has not come up, or has passed: there the message itself is what this socket gets.
      this.send(rest);
    }
  }

  private write(data: string | Buffer): void {
    if (this.phase === 'closed') return;
    const { socket } = this;
    if (socket.bufferedAmount > maxBufferedBytes) {
      this.close(closeCodes.slowConsumer, 'slow consumer: resume');
      return;
    }
    framesOut.inc();
    this.joinWrites();
    socket.send(data, textFrame);
  }

  /** Makes one packet of all frames of this turn of the event loop: a write costs more than what is written. */
  private joinWrites(): void {
    if (this.joining) return;
    this.joining = true;
    this.stream.cork();
    setImmediate(() => {
      this.joining = false;
      this.stream.uncork();
    });
  }

  private writePage({ frames }: LogSlice): void {
    const { socket } = this;
    framesOut.inc(frames.length);
    const last = frames.length - 1;
    for (const [index, frame] of frames.entries()) {
      const data = JSON.stringify(frame);
      if (index < last) socket.send(data, textFrame);
      else this.pageSent = sendAndWait(socket, data);
    }
  }

  /**
   * Waits until the client has read the last page of a replay, if it is slow: pages that wait here are in nobody's way.
   * Closes the socket of a client that takes too long.
   */
  private async pageTaken(): Promise<void> {
    const { pageSent } = this;
    if (!pageSent || this.socket.bufferedAmount < replayBufferedBytes) return;
    const limit = setTimeout(
      () => this.close(closeCodes.slowConsumer, 'slow consumer: resume'),
      maxPageMs,
    );
    await pageSent;
    clearTimeout(limit);
  }
}

/** Sends a frame, and resolves when the operating system has it or the socket is closed. */
function sendAndWait(socket: WebSocket, data: string): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    socket.send(data, textFrame, done);
  });
}

const textFrame = { binary: false, compress: false };

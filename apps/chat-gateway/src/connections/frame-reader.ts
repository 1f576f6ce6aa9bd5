import { type ClientFrame, parseFrame } from '../frames/client-frames.js';
import { FrameError, isUnexpected, toFrameError } from '../frames/frame-error.js';
import { closeCodes, type ErrorFrame, type ServerFrame } from '@mentorhub/contracts';
import { Logger } from '@nestjs/common';
import type { RawData } from 'ws';
import { framesIn } from '../metrics.js';
import { type Connection } from '../delivery/connection.js';
import { signOut } from './connections.js';
import { TokenBucket } from '../limits/token-bucket.js';

/** Carries out a frame; what it resolves to is sent back. */
export type FrameHandler = (frame: ClientFrame) => Promise<ServerFrame | undefined>;

export interface FrameReaderOptions {
  handlers: ReadonlyMap<string, FrameHandler>;
  messagesPer10Seconds: number;
  messageBurst: number;
  /** Pings and pongs. */
  controlFramesPer10Seconds: number;
  /** Opens the connection with the token of the first frame. */
  signIn(token: string): Promise<void>;
}

const maxMalformed = 10;
/** Frames that wait; beyond, the socket is not read until they are handled. */
const pauseAt = 64;
const resumeAt = 16;
/** Everything else a client does while it writes: typing, reading, pinging. */
const framesPerMessage = 5;
const maxRefused = 20;
const signInMs = 5000;

/** Reads the frames of one socket and has them handled strictly one after the other. */
export class FrameReader {
  private static readonly logger = new Logger(FrameReader.name);
  private readonly waiting: (string | undefined)[] = [];
  private readonly frames: TokenBucket;
  private readonly messages: TokenBucket;
  private readonly controlFrames: TokenBucket;
  private malformed = 0;
  private refused = 0;
  private signedIn = false;
  private working: Promise<void> | undefined;
  private blocked = true;
  private finishing = false;
  private signInTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly options: FrameReaderOptions,
  ) {
    const { messagesPer10Seconds, messageBurst, controlFramesPer10Seconds } = options;
    const now = performance.now();
    this.messages = new TokenBucket(messageBurst, messagesPer10Seconds / 10, now);
    this.frames = new TokenBucket(
      messageBurst * framesPerMessage,
      (messagesPer10Seconds / 10) * framesPerMessage,
      now,
    );
    this.controlFrames = new TokenBucket(
      controlFramesPer10Seconds,
      controlFramesPer10Seconds / 10,
      now,
    );
    connection.socket.on('ping', () => this.receiveControl());
    connection.socket.on('pong', () => this.receiveControl());
    connection.socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    connection.socket.on('close', () => clearTimeout(this.signInTimer));
  }

  /** Waits for the `auth` frame, 5 s. */
  awaitSignIn(): void {
    this.signInTimer = setTimeout(
      () => signOut(this.connection, 'Send {"type": "auth", "token": "…"} first, within 5 s.'),
      signInMs,
    );
    this.unblock();
  }

  /** The connection has been opened: frames are handled. */
  begin(): void {
    this.signedIn = true;
    this.unblock();
  }

  /** Handles nothing more, and resolves when the frame in hand is done. */
  async finish(): Promise<void> {
    this.finishing = true;
    this.connection.socket.pause();
    await this.working;
  }

  private unblock(): void {
    this.blocked = false;
    this.start();
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (!this.connection.open || this.finishing) return;
    framesIn.inc();
    this.connection.missedHeartbeats = 0;
    // ws hands whole frames over as one Buffer.
    this.waiting.push(isBinary ? undefined : (data as Buffer).toString());
    if (this.waiting.length >= pauseAt) this.connection.socket.pause();
    this.start();
  }

  /** ws answers a ping by itself, at our cost. */
  private receiveControl(): void {
    this.connection.missedHeartbeats = 0;
    if (!this.controlFrames.take(performance.now())) {
      this.connection.close(closeCodes.tooManyFrames, 'too many control frames');
    }
  }

  private start(): void {
    if (this.blocked || this.waiting.length === 0) return;
    this.working ??= this.work();
  }

  private async work(): Promise<void> {
    const { connection } = this;
    while (this.waiting.length > 0 && connection.open && !this.finishing) {
      const text = this.waiting.shift();
      if (connection.socket.isPaused && this.waiting.length <= resumeAt) connection.socket.resume();
      await this.handle(text);
    }
    this.working = undefined;
  }

  private async handle(text: string | undefined): Promise<void> {
    if (!this.signedIn) return this.signIn(text);
    const now = performance.now();
    // Before it is read, so that frames nobody can use count as well.
    const admitted = this.frames.take(now);
    const frame = read(text);
    const isMessage = !(frame instanceof FrameError) && frame.type === 'message';
    if (!admitted || (isMessage && !this.messages.take(now))) {
      this.refuseRateLimited(frame);
      return;
    }
    this.refused = 0;
    if (frame instanceof FrameError) {
      this.refuseUnreadable(frame);
      return;
    }
    this.malformed = 0;
    const handler = this.options.handlers.get(frame.type);
    if (!handler) {
      this.refuse('validation', 'This connection is signed in already.');
      return;
    }
    const answer = await handler(frame);
    if (answer) this.connection.send(answer);
  }

  /** Nobody may send anything but a valid `auth` frame before we know who it is. */
  private async signIn(text: string | undefined): Promise<void> {
    clearTimeout(this.signInTimer);
    const frame = read(text);
    if (frame instanceof FrameError || frame.type !== 'auth') {
      return signOut(this.connection, 'Send {"type": "auth", "token": "…"} first.');
    }
    try {
      await this.options.signIn(frame.token);
      this.signedIn = true;
    } catch (error) {
      closeUnopened(this.connection, error);
    }
  }

  private refuseUnreadable({ code, detail, clientId }: FrameError): void {
    this.refuse(code, detail, clientId);
    if (code === 'validation') {
      this.malformed = 0;
    } else if (++this.malformed >= maxMalformed) {
      this.connection.close(closeCodes.tooManyMalformedFrames, 'too many malformed frames');
    }
  }

  private refuseRateLimited(frame: ClientFrame | FrameError): void {
    this.refuse('rate_limited', 'Too many frames: slow down and send it again.', clientIdOf(frame));
    if (++this.refused > maxRefused) {
      this.connection.close(closeCodes.tooManyFrames, 'too many frames');
    }
  }

  private refuse(code: ErrorFrame['code'], detail: string, clientId?: string): void {
    this.connection.send({ type: 'error', code, detail, client_id: clientId });
  }

  /** Logs what nobody expected. */
  static report(error: unknown): void {
    if (isUnexpected(error)) FrameReader.logger.error('A frame could not be handled.', error);
  }
}

/** The frame, or why it is none; a binary one has no text. */
function read(text = ''): ClientFrame | FrameError {
  try {
    return parseFrame(text);
  } catch (error) {
    return toFrameError(error);
  }
}

function clientIdOf(frame: ClientFrame | FrameError): string | undefined {
  if (frame instanceof FrameError) return frame.clientId;
  return frame.type === 'message' ? frame.client_id : undefined;
}

/** Try again later: 1013 of the IANA registry. */
const tryAgainLater = 1013;

/** Ends a connection that could not be opened: 4401 for a wrong credential, 1013 when we could not find out. */
export function closeUnopened(connection: Connection, error: unknown): void {
  FrameReader.report(error);
  const { code, detail } = toFrameError(error);
  if (code === 'unavailable') {
    connection.send({ type: 'error', code, detail });
    connection.close(tryAgainLater, 'try again later');
  } else {
    signOut(connection, detail);
  }
}

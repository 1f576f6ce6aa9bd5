import type { Caller, DurableFrame, LiveFrame, LogPosition } from '@mentorhub/contracts';
import { type Connection, OutgoingFrame } from './connection.js';

/** Frames kept that arrived ahead of a missing one; beyond, they are read from the log with it. */
const maxAhead = 1000;
const typingIntervalMs = 2000;
const maxTypingPlaces = 100;

/**
 * The live end of one user's event log on this gateway: brings the signals into the order of their offsets and hands
 * them to the user's sockets.
 */
export class UserFeed {
  readonly connections = new Set<Connection>();
  /** Where the ordered part ends; unknown until the log was read once. */
  private position: LogPosition | undefined;
  /** Where the ordered part began: nothing before it was delivered to any socket. */
  private start: LogPosition | undefined;
  private readonly ahead = new Map<number, OutgoingFrame<DurableFrame>>();
  /** The log is known to reach this far. */
  private expected = 0;
  /** The log ended before our position when it was read: it may have started anew. */
  private doubtful = false;
  private readonly typedAt = new Map<string, number>();

  constructor(readonly userId: number) {}

  /** Someone to ask the log as; all sockets of a feed have the same user. */
  get caller(): Caller | undefined {
    for (const { caller } of this.connections) return caller;
    return undefined;
  }

  /** Offset of the last frame in order; 0 while the log has not been asked. */
  get offset(): number {
    return this.position?.offset ?? 0;
  }

  /** The position to read on from, if frames are known to be missing. */
  get gap(): LogPosition | undefined {
    const { position } = this;
    const missing =
      position && (this.ahead.size > 0 || this.expected > position.offset || this.doubtful);
    return missing ? position : undefined;
  }

  /**
   * Takes a signalled frame; true when it shows that frames are missing.
   * @param origin of a message, for the socket that it was sent on
   */
  accept(frame: LiveFrame, origin?: string): boolean {
    if (frame.type === 'typing' || frame.type === 'presence') {
      const outgoing = new OutgoingFrame(frame);
      for (const connection of this.connections) connection.sendIfLive(outgoing);
      return false;
    }
    this.place(new OutgoingFrame<DurableFrame>(frame, origin));
    return this.ahead.size > 0 && this.position !== undefined;
  }

  /**
   * Stores where the log ends; true when it must be read.
   * @param before our own offset when the request was sent
   */
  expect(offset: number, before = this.offset): boolean {
    if (!this.position) return false;
    this.expected = Math.max(this.expected, offset);
    this.doubtful ||= offset < before;
    return this.gap !== undefined;
  }

  /** Takes the answer of the log when a socket opens. True when frames are missing for the others. */
  open(head: LogPosition): boolean {
    if (!this.position) {
      this.moveTo(head);
      this.drain();
      return this.ahead.size > 0;
    }
    if (this.position.epoch !== head.epoch) {
      this.lose(head);
      return false;
    }
    return this.expect(head.offset);
  }

  /**
   * Where a socket begins whose request found the end of the log at `head`. When two sockets open at the same time, the
   * feed may have started from a later end; what is between the two is in the log, but is not delivered.
   */
  startOf(head: LogPosition): LogPosition {
    const { start } = this;
    return start && start.epoch === head.epoch && start.offset > head.offset ? start : head;
  }

  /** Takes frames that were read from the log. */
  catchUp(frames: readonly DurableFrame[]): void {
    for (const frame of frames) this.place(new OutgoingFrame<DurableFrame>(frame));
  }

  /** The log cannot be continued from here: every socket gets `recovered: false`. */
  lose(head: LogPosition): void {
    this.moveTo(head);
    for (const connection of this.connections) connection.lose(head);
    this.drain();
  }

  /** The log was read to its end: nothing is missing. */
  markComplete(): void {
    this.expected = this.offset;
    this.doubtful = false;
  }

  /** Whether the user may be shown as typing again at this place: once per 2 s. @param now milliseconds */
  mayType(place: string, now: number): boolean {
    const last = this.typedAt.get(place);
    if (last !== undefined && now - last < typingIntervalMs) return false;
    if (this.typedAt.size >= maxTypingPlaces) this.typedAt.clear();
    this.typedAt.set(place, now);
    return true;
  }

  private place(outgoing: OutgoingFrame<DurableFrame>): void {
    const { position } = this;
    const { offset } = outgoing.frame;
    if (position && offset <= position.offset) return;
    if (position && offset === position.offset + 1) {
      this.emit(outgoing);
      if (this.ahead.size > 0) this.drain();
    } else if (this.ahead.size < maxAhead) {
      this.ahead.set(offset, outgoing);
    } else {
      this.expected = Math.max(this.expected, offset);
    }
  }

  private emit(outgoing: OutgoingFrame<DurableFrame>): void {
    const { position } = this;
    if (!position) return;
    position.offset = outgoing.frame.offset;
    for (const connection of this.connections) connection.deliver(outgoing);
  }

  private moveTo({ epoch, offset }: LogPosition): void {
    this.position = { epoch, offset };
    this.start = { epoch, offset };
    this.markComplete();
  }

  /** Emits what follows, and forgets what has passed. */
  private drain(): void {
    const { position } = this;
    if (!position) return;
    for (;;) {
      const next = this.ahead.get(position.offset + 1);
      if (!next) break;
      this.ahead.delete(position.offset + 1);
      this.emit(next);
    }
    for (const offset of this.ahead.keys()) {
      if (offset <= position.offset) this.ahead.delete(offset);
    }
  }
}

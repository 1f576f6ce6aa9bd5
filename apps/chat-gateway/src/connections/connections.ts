import { AccessTokens, RevokedSessions } from '@mentorhub/access-token';
import { type Caller, closeCodes, ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { ChatGatewayConfig } from '../config.js';
import { Feeds } from '../delivery/feeds.js';
import { closes, connectionsOpen } from '../metrics.js';
import type { Connection } from '../delivery/connection.js';
import type { Identity } from './doorkeeper.js';

const expirySweepMs = 1000;
const maxMissedHeartbeats = 2;
/** Parts of the heartbeat interval; in each of them a part of the sockets is pinged. */
const beats = 50;

/** All open sockets of this gateway: their limits, their heartbeat and their end. */
@Injectable()
export class Connections implements OnModuleInit, OnApplicationShutdown {
  private readonly all = new Set<Connection>();
  /** By user, the oldest first. */
  private readonly byUser = new Map<number, Set<Connection>>();
  private readonly expiring = new Set<Connection>();
  /** By the part of the interval in which they are pinged. */
  private readonly byBeat = Array.from({ length: beats }, () => new Set<Connection>());
  private nextBeat = 0;
  private added = 0;
  private timers: NodeJS.Timeout[] = [];
  private stopListening: (() => void)[] = [];

  constructor(
    private readonly feeds: Feeds,
    private readonly revoked: RevokedSessions,
    private readonly tokens: AccessTokens,
    @Inject(CONFIG) private readonly config: ChatGatewayConfig,
  ) {}

  onModuleInit(): void {
    this.stopListening = [
      this.revoked.onRevoked((sessionId) => this.revoke(sessionId)),
      this.tokens.onKeysWithdrawn(() => this.signOutAll()),
    ];
    this.timers = [
      setInterval(() => this.beat(), (this.config.WS_HEARTBEAT_SECONDS * 1000) / beats),
      setInterval(() => this.endExpired(), expirySweepMs),
    ];
  }

  onApplicationShutdown(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const stop of this.stopListening) stop();
  }

  get size(): number {
    return this.all.size;
  }

  /** Every open socket, signed in or not. */
  list(): Connection[] {
    return [...this.all];
  }

  add(connection: Connection): void {
    this.all.add(connection);
    connection.beat = this.added++ % beats;
    this.byBeat[connection.beat]?.add(connection);
    connectionsOpen.set(this.all.size);
  }

  /**
   * Lets a socket in: it counts for its user, follows the user's log and is welcomed.
   * @throws ApplicationError `UNAUTHENTICATED` for an ended session; others when the log cannot be asked
   */
  async open(connection: Connection, { caller, expiresAt }: Identity): Promise<void> {
    if (!connection.open) return;
    // A ticket may be older than the end of its session.
    if (this.revoked.has(caller.session_id)) {
      throw new ApplicationError('UNAUTHENTICATED', 'This device was signed out: sign in again.');
    }
    connection.caller = caller;
    connection.expiresAt = expiresAt;
    this.expiring.add(connection);
    this.count(connection, caller);
    const head = await this.feeds.attach(connection, caller);
    if (!connection.open) return;
    connection.send({
      type: 'welcome',
      user_id: caller.user_id,
      connection_id: connection.id,
      heartbeat_seconds: this.config.WS_HEARTBEAT_SECONDS,
      epoch: head.epoch,
      offset: head.offset,
    });
    connection.start(head);
  }

  /** Forgets a socket that has closed. */
  remove(connection: Connection, code: number): void {
    connection.markClosed();
    if (!this.all.delete(connection)) return;
    this.expiring.delete(connection);
    this.byBeat[connection.beat]?.delete(connection);
    connectionsOpen.set(this.all.size);
    closes.inc({ code });
    const { caller } = connection;
    if (!caller) return;
    const sockets = this.byUser.get(caller.user_id);
    sockets?.delete(connection);
    if (sockets?.size === 0) this.byUser.delete(caller.user_id);
    this.feeds.detach(connection, caller.user_id);
  }

  private count(connection: Connection, { user_id: userId }: Caller): void {
    const sockets = this.byUser.get(userId) ?? new Set();
    this.byUser.set(userId, sockets.add(connection));
    if (sockets.size <= this.config.WS_CONNECTIONS_PER_USER) return;
    for (const oldest of sockets) {
      sockets.delete(oldest);
      oldest.close(closeCodes.tooManyConnections, 'too many connections');
      return;
    }
  }

  /** Pings the sockets whose turn it is; every one has its turn once in an interval. */
  private beat(): void {
    const beat = this.nextBeat;
    this.nextBeat = (beat + 1) % beats;
    for (const connection of this.byBeat[beat] ?? []) {
      if (connection.missedHeartbeats >= maxMissedHeartbeats) {
        connection.close(closeCodes.heartbeatMissed, 'no heartbeat');
      } else if (connection.open) {
        connection.missedHeartbeats++;
        connection.socket.ping();
      }
    }
    if (beat === 0) void this.feeds.compareHeads();
  }

  private endExpired(): void {
    const now = Date.now();
    for (const connection of this.expiring) {
      if ((connection.expiresAt ?? 0) <= now) {
        signOut(connection, 'Your sign-in has expired: connect with a new token or ticket.');
      }
    }
  }

  /**
   * Whoever has a withdrawn key may have opened any of the sockets, also with tickets; the others come back with tokens of
   * the new key.
   */
  private signOutAll(): void {
    for (const connection of this.all) {
      if (connection.caller) {
        signOut(connection, 'All access tokens were withdrawn: refresh yours and connect again.');
      }
    }
  }

  private revoke(sessionId: number): void {
    for (const connection of this.all) {
      if (connection.caller?.session_id === sessionId) {
        signOut(connection, 'This device was signed out: sign in again.');
      }
    }
  }
}

/** Closes a socket whose client may no longer be who it was. */
export function signOut(connection: Connection, detail: string): void {
  if (!connection.open) return;
  connection.send({ type: 'error', code: 'unauthenticated', detail });
  connection.close(closeCodes.unauthenticated, 'unauthenticated');
}

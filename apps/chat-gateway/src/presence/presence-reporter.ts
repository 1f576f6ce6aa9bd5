import { randomUUID } from 'node:crypto';
import { Presence } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { stopLimits } from '../config.js';

/** A page that is loaded again leaves and comes back: nobody needs to know. */
const debounceMs = 200;
const retryMs = 2000;

/**
 * Reports to chat whose sockets are open here, and renews the lease that the report lasts for. One report at a time,
 * each with a higher number than the last: chat takes no report after a later one, however late it arrives.
 */
@Injectable()
export class PresenceReporter implements OnApplicationShutdown {
  private readonly logger = new Logger(PresenceReporter.name);
  private readonly gatewayId = randomUUID();
  private number = 0;
  private readonly online = new Set<number>();
  /** As chat knows it. */
  private readonly reported = new Set<number>();
  private changed = new Set<number>();
  /** Chat knows nothing of this gateway, or may know something else. */
  private reset = true;
  private timer: NodeJS.Timeout | undefined;
  private due = Number.POSITIVE_INFINITY;
  private reporting = Promise.resolve();
  /** A report waits for the one on its way. */
  private queued = false;
  private stopped = false;

  constructor(private readonly requests: RequestClient) {}

  came(userId: number): void {
    this.online.add(userId);
    this.note(userId);
  }

  went(userId: number): void {
    this.online.delete(userId);
    this.note(userId);
  }

  /** Reports that nobody is here any more. */
  async leave(): Promise<void> {
    this.stop();
    await this.reporting;
    if (this.number === 0) return;
    try {
      await this.requests.request(
        Presence.report,
        undefined,
        { gateway_id: this.gatewayId, number: ++this.number, came: [], went: [], reset: true },
        { deadlineMs: stopLimits.presence },
      );
    } catch (error) {
      this.logger.warn(`Presence could not be reported; the lease will run out. ${String(error)}`);
    }
  }

  onApplicationShutdown(): void {
    this.stop();
  }

  private stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private note(userId: number): void {
    this.changed.add(userId);
    this.reportIn(debounceMs);
  }

  /** One timer: the nearer due time wins. */
  private reportIn(delayMs: number): void {
    const due = Date.now() + delayMs;
    if (this.stopped || due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => {
      this.due = Number.POSITIVE_INFINITY;
      this.queue();
    }, delayMs);
  }

  private queue(): void {
    if (this.queued) return;
    this.queued = true;
    this.reporting = this.reporting.then(() => {
      this.queued = false;
      return this.report();
    });
  }

  private async report(): Promise<void> {
    if (this.stopped) return;
    const { reset, changed } = this;
    this.changed = new Set();
    const users = reset ? this.online : changed;
    const came = [...users].filter(
      (id) => this.online.has(id) && (reset || !this.reported.has(id)),
    );
    const went = reset
      ? []
      : [...users].filter((id) => !this.online.has(id) && this.reported.has(id));
    try {
      const renewal = await this.requests.request(Presence.report, undefined, {
        gateway_id: this.gatewayId,
        number: ++this.number,
        came,
        went,
        reset: reset || undefined,
      });
      if (renewal.unknown_gateway) {
        this.reset = true;
        this.reportIn(0);
        return;
      }
      if (reset) this.reported.clear();
      for (const id of came) this.reported.add(id);
      for (const id of went) this.reported.delete(id);
      this.reset = false;
      this.reportIn((renewal.lease_seconds * 1000) / 3);
    } catch (error) {
      this.logger.warn(`Presence could not be reported; it is tried again. ${String(error)}`);
      // Whether chat took it is not known.
      this.reset = true;
      this.reportIn(retryMs);
    }
  }
}

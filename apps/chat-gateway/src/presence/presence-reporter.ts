import { randomUUID } from 'node:crypto';
import { Presence } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';

/** A page that is loaded again leaves and comes back; that is nobody's news. */
const debounceMs = 200;
const retryMs = 2000;

/** Tells chat whose sockets are open here, and renews the lease that this knowledge lasts for. */
@Injectable()
export class PresenceReporter implements OnApplicationShutdown {
  private readonly logger = new Logger(PresenceReporter.name);
  private readonly gatewayId = randomUUID();
  private readonly online = new Set<number>();
  /** As chat knows it. */
  private readonly told = new Set<number>();
  private changed = new Set<number>();
  /** Chat knows nothing of this gateway, or may know something else. */
  private reset = true;
  private timer: NodeJS.Timeout | undefined;
  private due = Number.POSITIVE_INFINITY;
  private reporting: Promise<void> | undefined;
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

  /** Tells that nobody is here any more. */
  async leave(): Promise<void> {
    this.stop();
    await this.reporting;
    if (this.reset) return;
    try {
      await this.requests.request(
        Presence.report,
        undefined,
        { gateway_id: this.gatewayId, came: [], went: [], reset: true },
        { deadlineMs: 1000 },
      );
    } catch (error) {
      this.logger.warn(`Presence could not be told; the lease will run out. ${String(error)}`);
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
      this.reporting = this.report();
    }, delayMs);
  }

  private async report(): Promise<void> {
    const { reset, changed } = this;
    this.changed = new Set();
    const users = reset ? this.online : changed;
    const came = [...users].filter((id) => this.online.has(id) && (reset || !this.told.has(id)));
    const went = reset ? [] : [...users].filter((id) => !this.online.has(id) && this.told.has(id));
    try {
      const renewal = await this.requests.request(Presence.report, undefined, {
        gateway_id: this.gatewayId,
        came,
        went,
        reset: reset || undefined,
      });
      if (renewal.unknown_gateway) {
        this.reset = true;
        this.reportIn(0);
        return;
      }
      if (reset) this.told.clear();
      for (const id of came) this.told.add(id);
      for (const id of went) this.told.delete(id);
      this.reset = false;
      this.reportIn((renewal.lease_seconds * 1000) / 3);
    } catch (error) {
      this.logger.warn(`Presence could not be told; it is tried again. ${String(error)}`);
      // Whether it was heard is not known.
      this.reset = true;
      this.reportIn(retryMs);
    }
  }
}

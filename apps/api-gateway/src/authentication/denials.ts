import {
  type AccessDenials,
  ApplicationError,
  Audit,
  type Caller,
  mostDenialsAtOnce,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

const reportEveryMs = 60_000;
/** Users whose refused requests are counted at the same time. */
const mostUsers = 10_000;

/**
 * Counts the requests that were refused because their users may not send them, and reports them to the audit trail once a
 * minute: one entry for each user, however many requests there were, so that nobody can flood the trail.
 */
@Injectable()
export class Denials implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Denials.name);
  private readonly counted = new Map<number, AccessDenials>();
  private timer?: NodeJS.Timeout;

  constructor(private readonly requests: RequestClient) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.report(), reportEveryMs);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.report();
  }

  /** Counts a request of a signed-in user. */
  note(caller: Caller, request: FastifyRequest): void {
    const { user_id, session_id } = caller;
    const known = this.counted.get(user_id);
    if (known) {
      known.count += 1;
      return;
    }
    if (this.counted.size >= mostUsers) return;
    this.counted.set(user_id, {
      user_id,
      session_id,
      route: `${request.method} ${request.routeOptions.url ?? ''}`.slice(0, 200),
      count: 1,
      since: new Date().toISOString(),
      device: { user_agent: request.headers['user-agent']?.slice(0, 512) ?? '', ip: request.ip },
    });
  }

  /** Reports what was counted. What identity does not take is counted on and reported with the next. */
  async report(): Promise<void> {
    while (this.counted.size > 0) {
      const denials = [...this.counted.values()].slice(0, mostDenialsAtOnce);
      for (const { user_id } of denials) this.counted.delete(user_id);
      try {
        await this.requests.request(Audit.noteDenials, undefined, { denials });
      } catch (error) {
        for (const denial of denials) this.putBack(denial);
        const reason = error instanceof ApplicationError ? error.code : String(error);
        this.logger.warn(`Refused requests could not be reported to the audit trail: ${reason}`);
        return;
      }
    }
  }

  private putBack(denial: AccessDenials): void {
    const meanwhile = this.counted.get(denial.user_id)?.count ?? 0;
    this.counted.set(denial.user_id, { ...denial, count: denial.count + meanwhile });
  }
}

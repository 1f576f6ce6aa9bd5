import { operations, type ServiceHealth } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Health } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { SystemHealthView } from './health.dto.js';

const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'] as const;

/** How long an answer is used again, in milliseconds: anyone may ask, and asking costs every service a request. */
const cachedMs = 1000;

/** How the whole system is, as seen from this gateway. */
@Injectable()
export class SystemHealth {
  private latest?: { view: Promise<SystemHealthView>; until: number };

  constructor(
    private readonly health: Health,
    private readonly requests: RequestClient,
  ) {}

  /** What this gateway depends on; without reasons, which are for operators. */
  async gateway(): Promise<ServiceHealth> {
    const { status, checks } = await this.health.report();
    return {
      status,
      checks: Object.fromEntries(
        Object.entries(checks).map(([name, result]) => [
          name,
          { status: result.status, ms: result.ms },
        ]),
      ),
    };
  }

  /** The gateway and every service. `degraded` when some of them is not up. */
  system(): Promise<SystemHealthView> {
    if (!this.latest || this.latest.until < performance.now()) {
      this.latest = { view: this.ask(), until: performance.now() + cachedMs };
    }
    return this.latest.view;
  }

  private async ask(): Promise<SystemHealthView> {
    const [gateway, ...answers] = await Promise.all([
      this.gateway(),
      ...services.map((service) => this.service(service)),
    ]);
    const up = [gateway, ...answers].every(({ status }) => status === 'up');
    return {
      status: up ? 'up' : 'degraded',
      gateway,
      services: Object.fromEntries(services.map((service, index) => [service, answers[index]!])),
    };
  }

  private async service(service: string): Promise<ServiceHealth> {
    try {
      return await this.requests.request(operations(service).health.check, undefined, {});
    } catch {
      return { status: 'down', checks: {} };
    }
  }
}

import { ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ApiGatewayConfig } from '../config.js';

/**
 * Lets through requests that were sent to a name of this machine or to `PUBLIC_URL`. The pages behind it need no
 * sign-in; without it, any website could read them through a name of its own that it lets point to 127.0.0.1 (DNS
 * rebinding).
 */
@Injectable()
export class KnownHostGuard implements CanActivate {
  private readonly known: ReadonlySet<string>;

  constructor(@Inject(CONFIG) private readonly config: ApiGatewayConfig) {
    this.known = new Set([new URL(config.PUBLIC_URL).hostname, 'localhost', '127.0.0.1', '[::1]']);
  }

  /** @throws ApplicationError FORBIDDEN */
  canActivate(execution: ExecutionContext): boolean {
    const { headers } = execution.switchToHttp().getRequest<FastifyRequest>();
    // The host in the request to the edge; a page that gets here directly can only add a name, not replace its own.
    const forwarded = [headers['x-forwarded-host'] ?? []].flat().flatMap((list) => list.split(','));
    const hosts = [headers.host ?? '', ...forwarded];
    if (hosts.every((host) => this.isKnown(host.trim()))) return true;
    throw new ApplicationError(
      'FORBIDDEN',
      `This page is served under known names only: open ${this.config.PUBLIC_URL}/dev/mail.`,
    );
  }

  private isKnown(host: string): boolean {
    return this.known.has(URL.parse(`http://${host}`)?.hostname ?? '');
  }
}

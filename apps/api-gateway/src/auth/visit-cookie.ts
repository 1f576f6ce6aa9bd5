import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { ApiGatewayConfig } from '../config.js';
import { HostCookie } from './host-cookie.js';

/**
 * The cookie by which a browser that set out to a provider is recognised when it comes back: without it, somebody could
 * have another's browser finish a visit of their own.
 */
@Injectable()
export class VisitCookie extends HostCookie {
  constructor(@Inject(CONFIG) config: ApiGatewayConfig) {
    super(config, { name: 'provider_visit', sameSite: 'Lax' });
  }
}

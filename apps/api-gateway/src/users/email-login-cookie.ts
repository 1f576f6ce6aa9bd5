import { randomBytes } from 'node:crypto';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { HostCookie } from '../auth/host-cookie.js';
import type { ApiGatewayConfig } from '../config.js';

/** The cookie by which the browser that asked for a code is recognised: code and link work there alone. */
@Injectable()
export class EmailLoginCookie extends HostCookie {
  constructor(@Inject(CONFIG) config: ApiGatewayConfig) {
    super(config, { name: 'email_login', sameSite: 'Strict' });
  }

  /** The secret that the browser has, or a new one: asking twice leaves the mail that is on its way valid. */
  readOrMake(request: FastifyRequest): string {
    return this.read(request) ?? randomBytes(32).toString('base64url');
  }
}

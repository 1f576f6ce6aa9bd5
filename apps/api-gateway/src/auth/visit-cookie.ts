import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiGatewayConfig } from '../config.js';

/**
 * The cookie by which a browser that set out to a provider is recognised when it comes back: without it, somebody could
 * have another's browser finish a visit of their own. No script reads it and no other site sends it along, but for a
 * link that leads here.
 */
@Injectable()
export class VisitCookie {
  private readonly name: string;
  private readonly attributes: string;

  constructor(@Inject(CONFIG) config: ApiGatewayConfig) {
    const isSecure = config.PUBLIC_URL.startsWith('https:');
    // With this beginning of its name, no subdomain can set it for this host.
    this.name = isSecure ? '__Host-provider_visit' : 'provider_visit';
    this.attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  }

  set(reply: FastifyReply, token: string, seconds: number): void {
    reply.header('set-cookie', `${this.name}=${token}; Max-Age=${seconds}; ${this.attributes}`);
  }

  clear(reply: FastifyReply): void {
    reply.header('set-cookie', `${this.name}=; Max-Age=0; ${this.attributes}`);
  }

  /** What the browser has; null for nothing that was set here. */
  read({ headers }: FastifyRequest): string | null {
    for (const pair of headers.cookie?.split(';') ?? []) {
      const [name, token = ''] = pair.trim().split('=', 2);
      if (name === this.name && /^[\w-]{43}$/.test(token)) return token;
    }
    return null;
  }
}

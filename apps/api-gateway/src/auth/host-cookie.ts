import type { ApiGatewayConfig } from '../config.js';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What tells the cookie from others. */
export interface HostCookieOptions {
  name: string;
  /** `Lax`: a link that leads here from elsewhere brings it along. */
  sameSite: 'Strict' | 'Lax';
}

/**
 * A cookie with a secret by which a browser is recognised that began something here. No script reads it, and no other
 * site sends it along.
 */
export abstract class HostCookie {
  private readonly name: string;
  private readonly attributes: string;

  constructor(config: ApiGatewayConfig, { name, sameSite }: HostCookieOptions) {
    const isSecure = config.PUBLIC_URL.startsWith('https:');
    // With this beginning of its name, no subdomain can set it for this host.
    this.name = isSecure ? `__Host-${name}` : name;
    this.attributes = `Path=/; HttpOnly; SameSite=${sameSite}${isSecure ? '; Secure' : ''}`;
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

import { AccessTokens } from '@mentorhub/access-token';
import { type Caller, ApplicationError, SocketTickets } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { ChatGatewayConfig } from '../config.js';

/** Who a client proved to be. */
export interface Identity {
  readonly caller: Caller;
  /** When the access token, or the session of the ticket, ends, Unix milliseconds. */
  readonly expiresAt: number;
}

const loopback = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Decides who may open a WebSocket. */
@Injectable()
export class Doorkeeper {
  private readonly origins: ReadonlySet<string>;

  constructor(
    private readonly requests: RequestClient,
    private readonly tokens: AccessTokens,
    @Inject(CONFIG) private readonly config: ChatGatewayConfig,
  ) {
    this.origins = new Set([new URL(config.PUBLIC_URL).origin, ...config.ALLOWED_ORIGINS]);
  }

  /** Only browsers send an origin, and only pages we know may use their users' sessions. @throws ApplicationError */
  checkOrigin(origin: string | undefined): void {
    if (origin === undefined || this.origins.has(origin)) return;
    if (this.config.PROFILE === 'local' && loopback.test(origin)) return;
    throw new ApplicationError(
      'FORBIDDEN',
      'Pages of this origin may not connect: add it to ALLOWED_ORIGINS.',
    );
  }

  /** Who the credential of an address proves; undefined without one. @throws ApplicationError */
  async identify(query: URLSearchParams): Promise<Identity | undefined> {
    const ticket = query.get('ticket');
    const token = query.get('token');
    if (ticket === null && token === null) return undefined;
    if (ticket === null && this.config.WS_QUERY_TOKEN === 'off') {
      throw new ApplicationError(
        'UNAUTHENTICATED',
        'Tokens in addresses are not accepted here: use a ticket from POST /api/v1/ws/ticket.',
      );
    }
    try {
      if (ticket === null) return await this.verify(token ?? '');
      return await this.redeem(ticket);
    } catch (error) {
      throw error instanceof ApplicationError ? refusalOf(error) : error;
    }
  }

  private async redeem(ticket: string): Promise<Identity> {
    const { caller, session_expires_at: end } = await this.requests.request(
      SocketTickets.redeem,
      undefined,
      { ticket },
    );
    return { caller, expiresAt: end * 1000 };
  }

  /** Who an access token proves. @throws ApplicationError */
  async verify(token: string): Promise<Identity> {
    const caller = await this.tokens.verify(token);
    return { caller, expiresAt: expiryOf(token) };
  }
}

/** When a verified token ends, Unix milliseconds. */
function expiryOf(token: string): number {
  const [, payload = ''] = token.split('.');
  const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
  return exp * 1000;
}

/** Says no more than the client needs. */
function refusalOf({ status }: ApplicationError): ApplicationError {
  if (status < 500) {
    return new ApplicationError(
      'UNAUTHENTICATED',
      'The ticket or token is wrong, used or expired: get a new one.',
    );
  }
  return new ApplicationError(
    'SERVICE_UNAVAILABLE',
    'Sign-in cannot be checked right now. Try again in a moment.',
  );
}

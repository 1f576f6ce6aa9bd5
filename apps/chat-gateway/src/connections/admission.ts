import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { ApplicationError } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import proxyAddr from '@fastify/proxy-addr';
import { Inject, Injectable } from '@nestjs/common';
import type { ChatGatewayConfig } from '../config.js';

/** The place of one client on this gateway, from its handshake to the end of its TCP connection. */
export interface Place {
  /** The client asks to sign in by its first frame: for as long it counts as a stranger. @throws ApplicationError */
  awaitSignIn(): void;
  /** The client has proved who it is. */
  signedIn(): void;
  /** The client is gone. */
  leave(): void;
}

interface Limit {
  readonly total: number;
  readonly perAddress: number;
}

/** How many there are, in all and of each address. */
class Census {
  private total = 0;
  private readonly ofAddress = new Map<string, number>();

  constructor(private readonly limit: Limit) {}

  /** @throws ApplicationError `OVERLOADED` when the gateway is full, `RATE_LIMITED` when the address has its share */
  enter(address: string): void {
    const count = this.ofAddress.get(address) ?? 0;
    if (this.total >= this.limit.total) {
      throw new ApplicationError('OVERLOADED', 'This gateway is full. Try again in some seconds.', {
        retryAfterSeconds: 5,
      });
    }
    if (count >= this.limit.perAddress) {
      throw new ApplicationError(
        'RATE_LIMITED',
        'Too many connections of this address: close some, or try again later.',
        { retryAfterSeconds: 5 },
      );
    }
    this.total++;
    this.ofAddress.set(address, count + 1);
  }

  leave(address: string): void {
    this.total--;
    const count = (this.ofAddress.get(address) ?? 1) - 1;
    if (count === 0) this.ofAddress.delete(address);
    else this.ofAddress.set(address, count);
  }
}

/** Bounds how many clients this gateway has, in all and of one address, and how many of them have not signed in. */
@Injectable()
export class Admission {
  private readonly clients: Census;
  private readonly strangers: Census;
  private readonly trusts: (address: string, hop: number) => boolean;

  constructor(@Inject(CONFIG) config: ChatGatewayConfig) {
    this.clients = new Census({
      total: config.WS_CONNECTIONS,
      perAddress: config.WS_CONNECTIONS_PER_ADDRESS,
    });
    this.strangers = new Census({
      total: config.WS_UNAUTHENTICATED,
      perAddress: config.WS_UNAUTHENTICATED_PER_ADDRESS,
    });
    this.trusts = proxyAddr.compile(config.TRUSTED_PROXIES);
  }

  /** Gives a client its place. @throws ApplicationError when there is none */
  enter(request: IncomingMessage): Place {
    const address = networkOf(proxyAddr(request, this.trusts));
    this.clients.enter(address);
    let stranger = false;
    let here = true;
    const signedIn = (): void => {
      if (stranger) this.strangers.leave(address);
      stranger = false;
    };
    return {
      awaitSignIn: () => {
        this.strangers.enter(address);
        stranger = true;
      },
      signedIn,
      leave: () => {
        if (!here) return;
        here = false;
        signedIn();
        this.clients.leave(address);
      },
    };
  }
}

/** What one customer of a provider has: an IPv4 address, or the 64 bits that begin an IPv6 address. */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return '';
  const mapped = /^::ffff:([\d.]+)$/i.exec(address);
  if (mapped) return mapped[1] ?? address;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  // `::` stands for as many zeros as are missing.
  if (tail !== undefined) {
    const last = tail === '' ? 0 : tail.split(':').length;
    while (groups.length + last < 8) groups.push('0');
    if (last > 0) groups.push(...tail.split(':'));
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

import type { IncomingMessage } from 'node:http';
import type { ApplicationError } from '@mentorhub/contracts';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../config.js';
import { Admission, networkOf } from './admission.js';

function admission(limits: Record<string, string>): Admission {
  return new Admission(
    readConfig({ PROFILE: 'local', NATS_URL: 'nats://localhost:4222', ...limits }),
  );
}

/** A request as a proxy of this machine passes it on. */
function from(address: string): IncomingMessage {
  const request = {
    socket: { remoteAddress: '127.0.0.1' },
    headers: { 'x-forwarded-for': address },
  };
  return request as unknown as IncomingMessage;
}

function codeOf(enter: () => unknown): string {
  try {
    enter();
    return 'OK';
  } catch (error) {
    return (error as ApplicationError).code;
  }
}

describe('admission', () => {
  it('gives an address its share, and again when a client of it has left', () => {
    const door = admission({ WS_CONNECTIONS_PER_ADDRESS: '2' });
    const first = door.enter(from('192.0.2.1'));
    door.enter(from('192.0.2.1'));
    expect(codeOf(() => door.enter(from('192.0.2.1')))).toBe('RATE_LIMITED');
    expect(codeOf(() => door.enter(from('192.0.2.2')))).toBe('OK');
    first.leave();
    first.leave();
    expect(codeOf(() => door.enter(from('192.0.2.1')))).toBe('OK');
    expect(codeOf(() => door.enter(from('192.0.2.1')))).toBe('RATE_LIMITED');
  });

  it('believes no address that a client says by itself', () => {
    const door = admission({ WS_CONNECTIONS_PER_ADDRESS: '1' });
    door.enter(from('198.51.100.7, 192.0.2.1'));
    expect(codeOf(() => door.enter(from('203.0.113.9, 192.0.2.1')))).toBe('RATE_LIMITED');
  });

  it('is full at its total', () => {
    const door = admission({ WS_CONNECTIONS: '2' });
    door.enter(from('192.0.2.1'));
    door.enter(from('192.0.2.2'));
    expect(codeOf(() => door.enter(from('192.0.2.3')))).toBe('OVERLOADED');
  });

  it('bounds those who have not signed in, of an address and in all', () => {
    const door = admission({ WS_UNAUTHENTICATED: '2', WS_UNAUTHENTICATED_PER_ADDRESS: '1' });
    const first = door.enter(from('192.0.2.1'));
    first.awaitSignIn();
    const wait = (address: string) => codeOf(() => door.enter(from(address)).awaitSignIn());
    expect(wait('192.0.2.1')).toBe('RATE_LIMITED');
    expect(wait('192.0.2.2')).toBe('OK');
    expect(wait('192.0.2.3')).toBe('OVERLOADED');
    first.signedIn();
    expect(wait('192.0.2.1')).toBe('OK');
    first.leave();
    expect(wait('192.0.2.3')).toBe('OVERLOADED');
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::6', '2001:db8:1:2'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])('counts %s as of %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

import { describe, expect, it } from 'vitest';
import { isReservedUsername } from './reserved-usernames.js';

describe('a username', () => {
  it.each([
    'root',
    'r00t',
    'admin',
    'admin42',
    'a.d-m_in',
    'adm1n',
    'adrnin',
    'aclmin',
    'administrator',
    'support',
    '5upport',
    'sup-port.1',
    'system',
    'moderator',
    'help',
    'he1p',
    'security',
    'mentorhub',
    'mentor.hub.team',
    'rnentorhub',
  ])('such as %s is reserved', (username) => {
    expect(isReservedUsername(username)).toBe(true);
  });

  it.each(['ada', 'adam', 'grace.hopper', 'max.support', 'helper', 'rooter', 'mentor1', 'user42'])(
    'such as %s is free',
    (username) => {
      expect(isReservedUsername(username)).toBe(false);
    },
  );
});

import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readUserAgent, userAgentFamily } from './user-agent.js';

const firefox = (version: number) =>
  `Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`;

describe('a user agent', () => {
  it.each([
    [firefox(140), 'Firefox 140', 'Windows', 'desktop'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
      'Safari 18',
      'macOS',
      'desktop',
    ],
    [
      'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36',
      'Chrome 137',
      'Android',
      'mobile',
    ],
    [
      'Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
      'Safari 18',
      'iOS',
      'tablet',
    ],
    ['curl/8.5.0', null, null, null],
    ['', null, null, null],
    ['<script>alert(1)</script>', null, null, null],
  ])('%s is read', (text, browser, os, device) => {
    expect(readUserAgent(text)).toEqual({ browser, os, device });
  });

  it('belongs to one family before and after an update', () => {
    expect(userAgentFamily(firefox(141))).toBe(userAgentFamily(firefox(140)));
    expect(userAgentFamily('curl/8.6.0')).toBe(userAgentFamily('curl/8.5.0'));
    expect(userAgentFamily('wget/1.2')).not.toBe(userAgentFamily('curl/8.5.0'));
  });

  it('may be anything at all', () => {
    assert(
      property(string({ unit: 'grapheme', maxLength: 600 }), (text) => {
        const { browser, os } = readUserAgent(text);
        expect((browser ?? '').length).toBeLessThanOrEqual(46);
        expect((os ?? '').length).toBeLessThanOrEqual(40);
        expect(userAgentFamily(text).length).toBeLessThan(200);
      }),
    );
  });
});

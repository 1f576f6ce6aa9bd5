import { sourceOf } from '../limits/source.js';

/**
 * The network of an address, as wide as providers hand out addresses in turn: an IPv4 /24, an IPv6 /48. A device that
 * gets another address in it is the same device still.
 */
export function networkOf(ip: string): string {
  const source = sourceOf(ip);
  const v4 = /^(\d+\.\d+\.\d+)\.\d+$/.exec(source)?.[1];
  if (v4 !== undefined) return `${v4}.0/24`;
  const v6 = /^([\da-f]+:[\da-f]+:[\da-f]+):[\da-f]+::\/64$/.exec(source)?.[1];
  return v6 === undefined ? source.slice(0, 64) : `${v6}::/48`;
}

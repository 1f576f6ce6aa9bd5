import type { DeviceKind } from '@mentorhub/contracts';
import { parse as parseUserAgent, type ParsedResult } from 'bowser';

const kinds: ReadonlySet<unknown> = new Set<DeviceKind>([
  'desktop',
  'mobile',
  'tablet',
  'tv',
  'bot',
]);

/** What a user agent says to people. Anybody can send any, so it describes and never decides. */
export interface ReadUserAgent {
  /** Name and major version, `Firefox 140`. */
  browser: string | null;
  /** Its name alone: browsers report old versions for the sake of old pages. */
  os: string | null;
  device: DeviceKind | null;
}

const longest = 512;
const longestName = 40;

export function readUserAgent(userAgent: string): ReadUserAgent {
  const { browser, os, platform } = parse(userAgent);
  const major = /^\d{1,5}/.exec(browser.version ?? '')?.[0];
  const name = browser.name?.slice(0, longestName);
  return {
    browser: name ? [name, major].filter(Boolean).join(' ') : null,
    os: os.name?.slice(0, longestName) || null,
    device: kinds.has(platform.type) ? (platform.type as DeviceKind) : null,
  };
}

/** What stays of a user agent when its programs are updated: `Firefox on Windows`. */
export function userAgentFamily(userAgent: string): string {
  const { browser, os } = parse(userAgent);
  // A program that is not known has at least a name in front: `curl/8.5.0`.
  const name = browser.name || (/^[^\s/;()]{1,40}/.exec(userAgent)?.[0] ?? '');
  return `${name} on ${os.name ?? ''}`;
}

function parse(userAgent: string): ParsedResult {
  // It refuses an empty text.
  return parseUserAgent(userAgent.slice(0, longest) || ' ');
}

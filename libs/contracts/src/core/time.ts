/** Instants and dates that every part can take: PostgreSQL, Temporal, and arithmetic of some years around them. */
const firstYear = 1970;
const lastYear = 2999;

const earliest = Date.UTC(firstYear, 0, 1);
const latest = Date.UTC(lastYear + 1, 0, 1) - 1;

const instantSyntax =
  /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:[0-5]\d(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const dateSyntax = /^(19[7-9]\d|2\d{3})-\d\d-\d\d$/;

/**
 * An RFC 3339 instant between 1970 and 2999 in UTC and milliseconds, `2026-11-25T15:00:00Z`; undefined for any other
 * text, such as other forms of ISO 8601 and days that do not exist.
 */
export function readInstant(text: string): string | undefined {
  if (!instantSyntax.test(text)) return undefined;
  try {
    const instant = Temporal.Instant.from(text).round({
      smallestUnit: 'millisecond',
      roundingMode: 'floor',
    });
    const { epochMilliseconds } = instant;
    return earliest <= epochMilliseconds && epochMilliseconds <= latest
      ? instant.toString()
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a text is a date of the calendar, `2026-11-25`, between 1970 and 2999. */
export function isCalendarDate(text: string): boolean {
  if (!dateSyntax.test(text)) return false;
  try {
    return Temporal.PlainDate.from(text, { overflow: 'reject' }).toString() === text;
  } catch {
    return false;
  }
}

const utc = 'UTC';
const zones = new Map<string, string | undefined>();
const maxRemembered = 2000;

/**
 * An IANA time zone as it is spelt, `Europe/Berlin`; undefined for any other text. Temporal decides, which is what
 * computes with zones: `Intl` knows names, such as `PST`, that Temporal does not.
 */
export function readTimeZone(name: string): string | undefined {
  if (name.length > 64) return undefined;
  if (zones.has(name)) return zones.get(name);
  const zone = lookUp(name);
  if (zones.size < maxRemembered) zones.set(name, zone);
  return zone;
}

/**
 * A time zone that was stored or sent by another service, as one to compute with. A name that Temporal does not know is
 * read as `Intl` reads it (`PST` is America/Los_Angeles), and as UTC if that fails: one bad row must not fail a list.
 */
export function timeZoneOf(stored: string): string {
  return readTimeZone(stored) ?? readTimeZone(legacyZone(stored) ?? utc) ?? utc;
}

function lookUp(name: string): string | undefined {
  // The constructor also takes offsets, which do not follow the clocks of any place.
  if (!/^[a-z]/i.test(name)) return undefined;
  try {
    return new Temporal.ZonedDateTime(0n, name).timeZoneId;
  } catch {
    return undefined;
  }
}

function legacyZone(name: string): string | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

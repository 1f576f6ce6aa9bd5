/**
 * What must never reach a log: values under keys that name secrets or personal data (by key, at any depth), and mail
 * addresses, tokens and credentials wherever they stand in a line (by shape).
 */

const hidden = '[hidden]';

/** Parts of key names, compared without case, dashes and underscores: `accessToken` and `X-Refresh-Token` match. */
const secretParts =
  /passw|pwd|secret|token|authorization|cookie|credential|apikey|privatekey|email|mailto|phone|jwt|signature|ticket|otp$|dsn$|databaseurl|natsurl/;

/** Whole key names. An error's own code is logged as `error_code`. */
const secretNames = new Set([
  'pass',
  'code',
  'mail',
  'to',
  'cc',
  'bcc',
  'card',
  'iban',
  'pan',
  'cvc',
]);

/** Whether the value under a key is hidden. */
export function isSecretKey(key: string): boolean {
  const name = key.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  return (
    secretNames.has(name) ||
    secretParts.test(name) ||
    name.endsWith('verificationcode') ||
    name.endsWith('logincode')
  );
}

const maxDepth = 8;
const maxItems = 200;

/** A copy that JSON can hold, with secrets hidden; never throws, whatever it is given. */
export function redact(value: unknown, depth = 0, ancestors: readonly object[] = []): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (ancestors.includes(value)) return '[circular]';
  if (depth >= maxDepth) return '[too deep]';
  const inside = [...ancestors, value];
  try {
    if (value instanceof Error) return redactError(value, depth, inside);
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) {
      return value.slice(0, maxItems).map((item) => redact(item, depth + 1, inside));
    }
    if (value instanceof Map) return redactEntries([...value], depth, inside);
    if (value instanceof Set) return redact([...value], depth, inside);
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      return redact((value.toJSON as () => unknown)(), depth + 1, inside);
    }
    return redactEntries(Object.entries(value), depth, inside);
  } catch {
    return '[unreadable]';
  }
}

function redactEntries(
  entries: readonly (readonly [unknown, unknown])[],
  depth: number,
  ancestors: readonly object[],
): Record<string, unknown> {
  return Object.fromEntries(
    entries.slice(0, maxItems).map(([key, item]) => {
      const name = String(key);
      const empty = item === undefined || item === null;
      return [name, isSecretKey(name) && !empty ? hidden : redact(item, depth + 1, ancestors)];
    }),
  );
}

/** Of an error only what helps: database errors also carry the statement's parameters, which users typed. */
function redactError(
  error: Error,
  depth: number,
  ancestors: readonly object[],
): Record<string, unknown> {
  const fields = error as Error & Record<'code' | 'constraint' | 'table' | 'status', unknown>;
  const causes = error instanceof AggregateError ? error.errors : undefined;
  const plain = {
    type: error.name,
    message: error.message,
    error_code: fields.code,
    constraint: fields.constraint,
    table: fields.table,
    stack: error.stack,
    cause: error.cause,
    errors: causes,
  };
  return Object.fromEntries(
    Object.entries(plain)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, redact(item, depth + 1, ancestors)]),
  );
}

const secretWords =
  'access_token|refresh_token|id_token|token|password|passwd|secret|api_?key|ticket|signature';

/** Lengths are bounded so that a long line without a match costs linear time. */
const shapes: readonly [RegExp, string][] = [
  // user:password@ of an address
  [/(\b[a-z][a-z\d+.-]{1,15}:\/\/)[^\s"\\/@]{1,256}@/gi, `$1${hidden}@`],
  [/\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?/g, '[jwt]'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{4,}/gi, `$1 ${hidden}`],
  // token=… in addresses and texts; code=… only in addresses, where it is a secret
  [new RegExp(`\\b((?:${secretWords})=)[^&\\s"'\\\\<>#;,]+`, 'gi'), `$1${hidden}`],
  [/([?&#]code=)[^&\s"'\\<>#;,]+/gi, `$1${hidden}`],
  // JSON inside a text
  [
    new RegExp(
      `(\\\\"[\\w-]{0,40}(?:${secretWords}|authorization|cookie)[\\w-]{0,40}\\\\":\\s{0,2}\\\\").*?(?=\\\\"|"|$)`,
      'gi',
    ),
    `$1${hidden}`,
  ],
];

/** A dotted domain is required, so that `node_modules/@nestjs/core` in a stack stays. */
const mailAddress =
  /[^\s"\\<>()[\]:;,@]{1,64}(?:@|%40)(?:[\p{L}\p{N}-]{1,63}\.){1,8}(?:\p{L}{2,63}|xn--[\w-]{1,59})/giu;

const hint =
  /@|%40|eyJ|bearer|basic|token|passw|secret|api_?key|ticket|signature|code=|authorization|cookie/i;

/** Hides email addresses, tokens and credentials in a finished line. Most lines have no hint of any and pass as they are. */
export function scrub(line: string): string {
  if (!hint.test(line)) return line;
  let scrubbed = line;
  for (const [shape, replacement] of shapes) scrubbed = scrubbed.replace(shape, replacement);
  return scrubbed.replace(mailAddress, '[mail]');
}

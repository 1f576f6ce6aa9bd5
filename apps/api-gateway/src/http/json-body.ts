import { isUtf8 } from 'node:buffer';
import { ApplicationError } from '@mentorhub/contracts';

/** How deep arrays and objects of a body may be nested; ours need four. */
const maxDepth = 32;

/** The text of a JSON body. @throws ApplicationError MALFORMED_REQUEST */
export function jsonText(body: Buffer): string {
  if (!isUtf8(body)) throw malformed('The body is not UTF-8.');
  if (isNestedDeeper(body, maxDepth)) {
    throw malformed(`The body is nested deeper than ${maxDepth} levels.`);
  }
  return body.toString();
}

export function malformed(detail: string): ApplicationError {
  return new ApplicationError('MALFORMED_REQUEST', detail);
}

const quote = 0x22;
const backslash = 0x5c;
const openers = new Set([0x5b, 0x7b]);
const closers = new Set([0x5d, 0x7d]);

/** Looks at the bytes before they are parsed: validating a deep value would exhaust the stack. */
function isNestedDeeper(json: Buffer, limit: number): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (inText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) inText = false;
    } else if (byte === quote) inText = true;
    else if (openers.has(byte)) {
      depth += 1;
      if (depth > limit) return true;
    } else if (closers.has(byte)) depth -= 1;
  }
  return false;
}

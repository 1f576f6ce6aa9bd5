import { isUtf8 } from 'node:buffer';
import { ApplicationError } from '@mentorhub/contracts';

/** How deep arrays and objects of a body may be nested; ours need four. */
const maxDepth = 32;

/** How many values a body may have, each field and each entry of a list being one; ours need 1401. */
const maxValues = 10_000;

/**
 * The value of a JSON body. Its size is counted in the bytes, before there is anything that could be slow to handle.
 * @throws ApplicationError MALFORMED_REQUEST, BODY_TOO_LARGE
 */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw malformed('The body is not UTF-8.');
  measure(body);
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch {
    throw malformed('The body is not valid JSON.');
  }
}

function malformed(detail: string): ApplicationError {
  return new ApplicationError('MALFORMED_REQUEST', detail);
}

/** Every value but the first follows an opening bracket or a comma. */
function measure(json: Buffer): void {
  let depth = 0;
  let values = 1;
  let inText = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at]!;
    if (inText) {
      if (byte === 0x5c /* \ */) at += 1;
      else if (byte === 0x22 /* " */) inText = false;
      continue;
    }
    switch (byte) {
      case 0x22 /* " */:
        inText = true;
        break;
      case 0x5b /* [ */:
      case 0x7b /* { */:
        depth += 1;
        values += 1;
        if (depth > maxDepth) {
          throw malformed(`The body is nested deeper than ${maxDepth} levels.`);
        }
        break;
      case 0x5d /* ] */:
      case 0x7d /* } */:
        depth -= 1;
        break;
      case 0x2c /* , */:
        values += 1;
        break;
    }
    if (values > maxValues) {
      throw new ApplicationError(
        'BODY_TOO_LARGE',
        `The body has more than ${maxValues} values. Send less at once.`,
      );
    }
  }
}

import { ApplicationError, type Caller, type Locale, locales } from '@mentorhub/contracts';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { RequestContext } from '../request-context.js';

/** The headers of a request; answers that fail carry those of the NATS micro convention. */
export const header = {
  requestId: 'Request-Id',
  traceparent: 'Traceparent',
  /** Milliseconds that the sender still waits. Not an instant, as the clocks of machines differ. */
  timeLeft: 'Time-Left-Ms',
  caller: 'Caller',
  locale: 'Locale',
  idempotencyKey: 'Idempotency-Key',
  error: 'Nats-Service-Error',
  errorCode: 'Nats-Service-Error-Code',
} as const;

/** Header values are one line of printable ASCII; what is not is left out. */
export function headerValue(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').trim();
}

/** The actor as a header value. ASCII by construction: numbers and role names. */
function encodeCaller({ user_id, roles, session_id }: Caller): string {
  return JSON.stringify({ user_id, roles, session_id });
}

export function encodeHeaders(
  requestId: string,
  timeLeftMs: number,
  caller: Caller | undefined,
  context: RequestContext | undefined,
  traceparent: string | undefined,
): MsgHdrs {
  const result = headers();
  result.append(header.requestId, headerValue(requestId));
  result.append(header.timeLeft, String(timeLeftMs));
  if (traceparent) result.append(header.traceparent, headerValue(traceparent));
  if (caller) result.append(header.caller, encodeCaller(caller));
  if (context?.locale) result.append(header.locale, context.locale);
  if (context?.idempotencyKey) {
    result.append(header.idempotencyKey, headerValue(context.idempotencyKey));
  }
  return result;
}

/** The headers of a request, read once. */
export interface InboundHeaders {
  requestId?: string;
  traceparent?: string;
  /** In milliseconds. */
  timeLeft?: number;
  caller?: Caller;
  locale?: Locale;
  idempotencyKey?: string;
}

/** @throws ApplicationError MALFORMED_REQUEST */
export function decodeHeaders(received: MsgHdrs | undefined): InboundHeaders {
  const result: InboundHeaders = {};
  if (!received) return result;
  for (const [name, [value]] of received) {
    if (!value) continue;
    switch (name) {
      case header.requestId:
        result.requestId = value;
        break;
      case header.traceparent:
        result.traceparent = value;
        break;
      case header.timeLeft:
        result.timeLeft = decodeTimeLeft(value);
        break;
      case header.caller:
        result.caller = decodeCaller(value);
        break;
      case header.locale:
        result.locale = locales.find((locale) => locale === value);
        break;
      case header.idempotencyKey:
        result.idempotencyKey = value;
        break;
    }
  }
  return result;
}

function decodeTimeLeft(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw malformedHeader(header.timeLeft);
  return Number(value);
}

function decodeCaller(value: string): Caller {
  let caller: unknown;
  try {
    caller = JSON.parse(value);
  } catch {
    throw malformedHeader(header.caller);
  }
  if (!isCaller(caller)) throw malformedHeader(header.caller);
  return caller;
}

function isCaller(value: unknown): value is Caller {
  if (typeof value !== 'object' || value === null) return false;
  const { user_id, roles, session_id } = value as Partial<Record<keyof Caller, unknown>>;
  return Number.isInteger(user_id) && Number.isInteger(session_id) && Array.isArray(roles);
}

function malformedHeader(name: string): ApplicationError {
  return new ApplicationError('MALFORMED_REQUEST', `The header ${name} is malformed.`);
}

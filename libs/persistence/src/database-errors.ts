import { ApplicationError } from '@mentorhub/contracts';
import { QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';

/** What pg errors carry; TypeORM wraps them as `driverError` and copies their fields. */
interface DatabaseError {
  code?: unknown;
  constraint?: unknown;
  message?: unknown;
  driverError?: unknown;
  cause?: unknown;
  errors?: unknown;
}

function details(error: unknown): DatabaseError | undefined {
  return typeof error === 'object' && error !== null ? error : undefined;
}

function violates(error: unknown, code: string, constraint?: string): boolean {
  const fields = details(error);
  return fields?.code === code && (constraint === undefined || fields.constraint === constraint);
}

/** Whether a unique key was violated (`constraint`, or any). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23505', constraint);
}

/** Whether an exclusion constraint was violated (`constraint`, or any). */
export function isExclusionViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23P01', constraint);
}

/** Whether a check was violated (`constraint`, or any). */
export function isCheckViolation(error: unknown, constraint?: string): boolean {
  return violates(error, '23514', constraint);
}

/** Two transactions stood in each other's way, and one was rolled back: the same work may succeed when run again. */
export function isSerializationFailure(error: unknown): boolean {
  return violates(error, '40P01') || violates(error, '40001');
}

/** A lock was not to be had within `lock_timeout`: the same work may succeed when run again. */
export function isLockTimeout(error: unknown): boolean {
  return violates(error, '55P03');
}

/** Whether a value was refused: class 22, data exceptions, such as a number out of range; 23514, a check. */
function isUnstorable(error: unknown): boolean {
  const code = details(error)?.code;
  return typeof code === 'string' && /^(22...|23514)$/.test(code);
}

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Class 08: connection; 57P01–03: shutting down, crashed, starting; 53300: too many connections. */
const serverCodes = /^(08...|57P0[123]|53300)$/;

/** pg reports these without a code. */
const messages =
  /^(timeout exceeded when trying to connect|timeout expired|Query read timeout|Connection terminated\b|Client has encountered a connection error|Client was closed and is not queryable|Cannot use a pool after calling end)/;

/**
 * Whether the database could not be reached, is starting or stopping, or has no connection left: a failure that passes
 * by itself, to be answered with `SERVICE_UNAVAILABLE`. Looks through TypeORM's wrappers and causes.
 */
export function unavailable(error: unknown, depth = 0): boolean {
  const fields = details(error);
  if (!fields || depth > 4) return false;
  // TypeORM lets go of a transaction's connection when that is lost, and says only this about the next statement.
  if (
    error instanceof QueryRunnerAlreadyReleasedError ||
    error instanceof QueryRunnerProviderAlreadyReleasedError
  ) {
    return true;
  }
  const { code, message, driverError, cause, errors } = fields;
  if (typeof code === 'string' && (networkCodes.has(code) || serverCodes.test(code))) return true;
  if (typeof message === 'string' && messages.test(message)) return true;
  return (
    unavailable(driverError, depth + 1) ||
    unavailable(cause, depth + 1) ||
    // Node reports a host with several addresses as an AggregateError.
    (Array.isArray(errors) && errors.some((one) => unavailable(one, depth + 1)))
  );
}

/**
 * The answer to a request that failed because of the database: an `ApplicationError` when another attempt or other
 * values help, undefined for every other error. A value that the database refuses should have been refused before. Goes
 * into `ServiceMessagingModule.forRoot({ classify: classifyDatabaseError })`.
 */
export function classifyDatabaseError(error: unknown): ApplicationError | undefined {
  if (unavailable(error)) {
    return new ApplicationError(
      'SERVICE_UNAVAILABLE',
      'The service cannot reach its database: try again in a moment.',
      { retryAfterSeconds: 1, cause: error },
    );
  }
  // statement_timeout, and lock_timeout
  if (violates(error, '57014') || isLockTimeout(error)) {
    return new ApplicationError('OVERLOADED', 'The service is too busy: try again in a moment.', {
      retryAfterSeconds: 2,
      cause: error,
    });
  }
  if (isSerializationFailure(error)) {
    return new ApplicationError('OVERLOADED', 'Too many changes at once: try again in a moment.', {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  return isUnstorable(error)
    ? new ApplicationError(
        'VALIDATION_FAILED',
        'Some value cannot be stored. Send usual text, numbers and times.',
        { cause: error },
      )
    : undefined;
}

import { QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { classifyDatabaseError, isUniqueViolation, unavailable } from './database-errors.js';

const withCode = (code: string): Error => Object.assign(new Error('failed'), { code });

describe('unavailable', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', '57P01', '57P02', '57P03', '08006', '08P01', '53300'])(
    'recognises %s',
    (code) => {
      expect(unavailable(withCode(code))).toBe(true);
    },
  );

  it.each([
    'timeout exceeded when trying to connect',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Query read timeout',
  ])('recognises “%s”', (message) => {
    expect(unavailable(new Error(message))).toBe(true);
  });

  it('recognises what TypeORM says after the connection of a transaction was lost', () => {
    expect(unavailable(new QueryRunnerProviderAlreadyReleasedError())).toBe(true);
    expect(unavailable(new QueryRunnerAlreadyReleasedError())).toBe(true);
  });

  it('looks through wrappers, causes and several addresses', () => {
    const refused = withCode('ECONNREFUSED');
    expect(unavailable(Object.assign(new Error('query'), { driverError: refused }))).toBe(true);
    expect(unavailable(new Error('query', { cause: refused }))).toBe(true);
    expect(unavailable(new AggregateError([refused, refused]))).toBe(true);
  });

  it.each([withCode('23505'), new Error('oops'), 'text', undefined, null])(
    'leaves %s alone',
    (error) => {
      expect(unavailable(error)).toBe(false);
    },
  );

  it('ends on an error that is its own cause', () => {
    const error = new Error('loop');
    error.cause = error;
    expect(unavailable(error)).toBe(false);
  });
});

describe('classifyDatabaseError', () => {
  it('says that a lost database is a passing failure', () => {
    expect(classifyDatabaseError(withCode('57P01'))).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retryAfterSeconds: 1,
    });
  });

  it.each(['57014', '40P01', '40001'])('answers %s with OVERLOADED', (code) => {
    expect(classifyDatabaseError(withCode(code))?.code).toBe('OVERLOADED');
  });

  it.each(['22003', '22021', '22007', '22P05', '23514'])(
    'says of %s that a value cannot be stored',
    (code) => {
      expect(classifyDatabaseError(withCode(code))).toMatchObject({
        code: 'VALIDATION_FAILED',
        cause: { code },
      });
    },
  );

  it('leaves a mistake in our code internal', () => {
    expect(classifyDatabaseError(withCode('42601'))).toBeUndefined();
  });
});

describe('isUniqueViolation', () => {
  it('can be asked about one constraint', () => {
    const error = Object.assign(withCode('23505'), { constraint: 'users_email_key' });
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, 'users_email_key')).toBe(true);
    expect(isUniqueViolation(error, 'users_username_key')).toBe(false);
  });
});

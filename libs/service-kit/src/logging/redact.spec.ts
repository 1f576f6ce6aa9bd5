import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSecretKey, redact, scrub } from './redact.js';

describe('isSecretKey', () => {
  it.each([
    'password',
    'newPassword',
    'PASSWORD_HASH',
    'accessToken',
    'X-Refresh-Token',
    'authorization',
    'Set-Cookie',
    'client_secret',
    'code',
    'email',
    'user_email',
    'apiKey',
    'DATABASE_URL',
    'ticket',
    'phone',
  ])('hides what is under %s', (key) => {
    expect(isSecretKey(key)).toBe(true);
  });

  it.each([
    'user_id',
    'error_code',
    'statusCode',
    'subject',
    'booking',
    'encoder',
    'context',
    'ms',
  ])('shows what is under %s', (key) => {
    expect(isSecretKey(key)).toBe(false);
  });
});

describe('redact', () => {
  it('hides secrets at any depth, in lists and in maps', () => {
    expect(
      redact({
        user: { id: 7, credentials: { user: 'x' } },
        list: [{ password: 'a' }, { note: 'b' }],
        map: new Map([['token', 'c']]),
      }),
    ).toEqual({
      user: { id: 7, credentials: '[hidden]' },
      list: [{ password: '[hidden]' }, { note: 'b' }],
      map: { token: '[hidden]' },
    });
  });

  it('keeps of an error its message, code, constraint and causes, but not what was typed', () => {
    const error = Object.assign(new Error('duplicate key', { cause: new Error('inner') }), {
      code: '23505',
      constraint: 'users_email_key',
      parameters: ['typed by a user'],
    });
    expect(redact({ err: error })).toMatchObject({
      err: {
        type: 'Error',
        message: 'duplicate key',
        error_code: '23505',
        constraint: 'users_email_key',
        cause: { message: 'inner' },
      },
    });
    expect(JSON.stringify(redact(error))).not.toContain('typed by a user');
  });

  it('survives loops, depth, big integers and getters that throw', () => {
    const loop: Record<string, unknown> = { big: 1n };
    loop['self'] = loop;
    let deep: Record<string, unknown> = {};
    for (let level = 0; level < 50; level++) deep = { deep };
    const hostile = {
      get field(): string {
        throw new Error('no');
      },
    };
    expect(redact({ loop })).toEqual({ loop: { big: '1', self: '[circular]' } });
    expect(JSON.stringify(redact(deep))).toContain('[too deep]');
    expect(redact({ hostile })).toEqual({ hostile: '[unreadable]' });
  });

  it('hides every value under a secret key, wherever it is', () => {
    const key = fc.constantFrom('password', 'refresh_token', 'Authorization', 'code', 'email');
    const secret = fc.string({ minLength: 12, unit: fc.constantFrom('q', 'w', 'z', 'Q') });
    const path = fc.array(fc.constantFrom('user', 'list', 'data', 'a'), { maxLength: 5 });
    fc.assert(
      fc.property(key, secret, path, fc.jsonValue(), (name, value, steps, other) => {
        let object: unknown = { [name]: value, other };
        for (const step of steps) object = step === 'list' ? [object] : { [step]: object, other };
        expect(JSON.stringify(redact(object))).not.toContain(value);
      }),
    );
  });
});

describe('scrub', () => {
  it.each([
    ['mail to ada@example.com failed', 'mail to [mail] failed'],
    ['Key (email)=(a.b+c@mail.example.co.uk) exists', 'Key (email)=([mail]) exists'],
    ['ada%40example.com', '[mail]'],
    ['почта мария@пример.рф', 'почта [mail]'],
    ['GET /ws?token=abc.def&x=1', 'GET /ws?token=[hidden]&x=1'],
    ['/callback?code=123456', '/callback?code=[hidden]'],
    ['Authorization: Bearer abcdef123', 'Authorization: Bearer [hidden]'],
    ['postgres://user:hunter2@db:5432/x', 'postgres://[hidden]@db:5432/x'],
    ['nats://u:p@nats.example.com:4222', 'nats://[hidden]@nats.example.com:4222'],
    ['eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', '[jwt]'],
    [
      String.raw`body {\"password\":\"hunter2\",\"x\":1}`,
      String.raw`body {\"password\":\"[hidden]\",\"x\":1}`,
    ],
  ])('makes of “%s” “%s”', (line, scrubbed) => {
    expect(scrub(line)).toBe(scrubbed);
  });

  it.each([
    'at file:///app/node_modules/@nestjs/core/injector.js:12:3',
    'connect ECONNREFUSED 127.0.0.1:5432, code ECONNREFUSED',
    'package foo@1.2.3',
    'token bucket is empty',
  ])('leaves “%s” as it is', (line) => {
    expect(scrub(line)).toBe(line);
  });

  it('lets no email address through, whatever is around it', () => {
    const around = fc.string({ unit: 'grapheme-ascii', maxLength: 30 });
    fc.assert(
      fc.property(fc.emailAddress(), around, around, (address, before, after) => {
        const line = JSON.stringify({ msg: `${before} ${address} ${after}`, nested: [address] });
        expect(scrub(line)).not.toContain(address);
      }),
    );
  });

  it('takes linear time on a long line', () => {
    const line = `token ${'a'.repeat(500_000)} x@y ${'%40.'.repeat(20_000)}`;
    const start = performance.now();
    scrub(line);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

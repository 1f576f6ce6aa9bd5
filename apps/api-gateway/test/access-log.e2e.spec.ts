import { Writable } from 'node:stream';
import { Checkout, ApplicationError, Users } from '@mentorhub/contracts';
import { openLogger } from '@mentorhub/service-kit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { respond, startSystem, type System, token } from './fixture.js';

interface Line {
  msg: string;
  level: string;
  context?: string;
  status?: number;
  request_id?: string;
  user_id?: number;
}

let system: System;
let text = '';

const lines = (): Line[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);

/** The line about a request, as soon as it is written. */
async function lineOf(requestId: string, context: string): Promise<Line> {
  const find = (): Line | undefined =>
    lines().find((line) => line.request_id === requestId && line.context === context);
  await vi.waitFor(() => expect(find()).toBeDefined());
  return find()!;
}

beforeAll(async () => {
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const logger = await openLogger({
    name: 'api-gateway',
    level: 'info',
    format: 'json',
    destination,
  });
  system = await startSystem(
    [
      respond(Users.me, () => {
        throw new Error('password is hunter2');
      }),
      respond(Checkout.view, () => {
        throw ApplicationError.notFound('This checkout');
      }),
    ],
    { LOG_LEVEL: 'info' },
    logger,
  );
});

afterAll(() => system.close());

describe('the access log', () => {
  it('names who asked, without the query', async () => {
    const answer = await system.as(await token(), 'GET', '/api/v1/users/me?ticket=secret-ticket');
    const line = await lineOf(answer.headers.get('x-request-id') ?? '', 'Access');
    expect(line).toMatchObject({ msg: 'GET /api/v1/users/me', status: 500, user_id: 7 });
    expect(text).not.toContain('secret-ticket');
  });

  it('does not name a checkout, as anyone who knows its id may pay', async () => {
    const answer = await system.fetch('/checkout/co_secret123456');
    const line = await lineOf(answer.headers.get('x-request-id') ?? '', 'Access');
    expect(line.msg).toBe('GET /checkout/:id');
    expect(text).not.toContain('co_secret123456');
  });

  it('has a line about what went wrong on our side, found by the request id', async () => {
    const answer = await system.as(await token(), 'GET', '/api/v1/users/me');
    const line = await lineOf(answer.headers.get('x-request-id') ?? '', 'Errors');
    expect(line).toMatchObject({ level: 'error', msg: 'A request failed.' });
  });
});

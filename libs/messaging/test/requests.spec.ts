import {
  type Caller,
  ApplicationError,
  idsField,
  operations,
  type Problem,
  request,
} from '@mentorhub/contracts';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { BadRequestException, Controller } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { Handle, type RequestClient, type RequestContext, requestContext } from '../src/index.js';
import { rpcInFlight } from '../src/metrics.js';
import { startChild } from './child/start.js';
import { type Fixture, startGateway, startService } from './fixture.js';

interface Echo {
  text: string;
}

const requests = {
  echo: request.public<Echo, Echo & { caller?: Caller }>('mentorship.things.echo'),
  nothing: request.public<undefined, void>('mentorship.things.nothing'),
  fail: request.public<Echo, Echo>('mentorship.things.fail'),
  crash: request.public<Echo, Echo>('mentorship.things.crash'),
  loseDatabase: request.public<Echo, Echo>('mentorship.things.lose_database'),
  reject: request.public<Echo, Echo>('mentorship.things.reject'),
  context: request.public<Echo, RequestContext>('mentorship.things.context'),
  slow: request.public<{ ms: number }, { aborted: boolean }>('mentorship.things.slow', {
    deadlineMs: 200,
  }),
  hold: request.public<{ ms: number }, Echo>('mentorship.things.hold'),
  large: request.public<{ bytes: number }, Echo>('mentorship.things.large'),
  mine: request.user<Echo, { user_id: number }>('mentorship.things.mine'),
  administer: request.admin<Echo, { user_id: number }>('mentorship.things.administer'),
  checked: request.service<{ ids: number[] }, Echo>('mentorship.things.checked', {
    fields: { ids: idsField(2) },
  }),
  unserved: request.public<Echo, Echo>('nobody.things.get'),
};

class LostDatabase extends Error {}

const aborts: boolean[] = [];

@Controller()
class ThingsController {
  @Handle(requests.echo)
  echo(caller: Caller | undefined, { text }: Echo): Echo & { caller?: Caller } {
    return { text, caller };
  }

  @Handle(requests.nothing)
  async nothing(): Promise<void> {}

  @Handle(requests.fail)
  fail(): Echo {
    throw new ApplicationError('BOOKING_SLOT_TAKEN', 'Schön, choose another\nslot.', {
      errors: [{ field: 'start', message: 'taken' }],
      data: { alternatives: ['2026-11-25T15:00:00Z'] },
    });
  }

  @Handle(requests.crash)
  crash(): Echo {
    throw new Error('password of ada is secret');
  }

  @Handle(requests.loseDatabase)
  loseDatabase(): Echo {
    throw new LostDatabase();
  }

  @Handle(requests.reject)
  reject(): Echo {
    throw new BadRequestException('Say it differently.');
  }

  @Handle(requests.context)
  context(): RequestContext {
    const { requestId, traceparent, deadline, locale, idempotencyKey } = requestContext.current()!;
    return { requestId, traceparent, deadline, locale, idempotencyKey };
  }

  @Handle(requests.slow)
  async slow(_: Caller | undefined, { ms }: { ms: number }): Promise<{ aborted: boolean }> {
    const { signal } = requestContext.current()!;
    await new Promise((resolve) => setTimeout(resolve, ms));
    aborts.push(signal!.aborted);
    return { aborted: signal!.aborted };
  }

  @Handle(requests.hold)
  async hold(_: Caller | undefined, { ms }: { ms: number }): Promise<Echo> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { text: 'done' };
  }

  @Handle(requests.checked)
  checked(_: Caller | undefined, { ids }: { ids: number[] }): Echo {
    return { text: ids.join() };
  }

  @Handle(requests.large)
  large(_: Caller | undefined, { bytes }: { bytes: number }): Echo {
    return { text: 'x'.repeat(bytes) };
  }

  @Handle(requests.mine)
  mine({ user_id }: Caller): { user_id: number } {
    return { user_id };
  }

  @Handle(requests.administer)
  administer({ user_id }: Caller): { user_id: number } {
    return { user_id };
  }
}

const mentee: Caller = { user_id: 42, roles: ['student'], session_id: 7 };
const admin: Caller = { user_id: 1, roles: ['admin'], session_id: 8 };
/** What TypeScript keeps apps from sending. */
const nobody = undefined as unknown as Caller;

function failureOf(promise: Promise<unknown>): Promise<ApplicationError> {
  return promise.then(
    () => expect.fail('it should have failed'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(ApplicationError);
      return error as ApplicationError;
    },
  );
}

describe('a request between apps', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let database: TestDatabase;
  let service: Fixture;
  let gateway: Awaited<ReturnType<typeof startGateway>>;
  let client: RequestClient;
  let raw: NatsConnection;

  beforeAll(async () => {
    [nats, database] = await Promise.all([testNats(), testDatabase('requests')]);
    service = await startService({
      databaseUrl: database.url,
      directUrl: database.directUrl,
      natsUrl: nats.url,
      controllers: [ThingsController],
      options: {
        maxInFlight: 4,
        classify: (error) =>
          error instanceof LostDatabase
            ? new ApplicationError('SERVICE_UNAVAILABLE', 'The database is away.')
            : undefined,
      },
    });
    gateway = await startGateway(nats.url);
    client = gateway.client;
    raw = await connect({ servers: nats.url });
  });

  afterAll(async () => {
    await raw.close();
    await gateway.close();
    await service.close();
    await database.drop();
    await nats.stop();
  });

  it('is answered with what the handler returned, for the actor it was sent for', async () => {
    expect(await client.request(requests.echo, mentee, { text: 'grüße' })).toEqual({
      text: 'grüße',
      caller: mentee,
    });
    expect(await client.request(requests.echo, undefined, { text: 'hi' })).toEqual({ text: 'hi' });
  });

  it('may be answered with nothing', async () => {
    expect(await client.request(requests.nothing, undefined, undefined)).toBeUndefined();
    expect(await client.forward(requests.nothing, undefined, undefined)).toHaveLength(0);
  });

  it('can be forwarded as the bytes of the answer', async () => {
    const reply = await client.forward(requests.echo, undefined, { text: 'as is' });
    expect(reply).toBeInstanceOf(Buffer);
    expect(reply.toString()).toBe('{"text":"as is"}');
  });

  it('keeps code, detail, field errors and data of an expected failure', async () => {
    const error = await failureOf(client.request(requests.fail, mentee, { text: '' }));
    expect(error).toMatchObject({
      code: 'BOOKING_SLOT_TAKEN',
      status: 409,
      detail: 'Schön, choose another\nslot.',
      errors: [{ field: 'start', message: 'taken' }],
      data: { alternatives: ['2026-11-25T15:00:00Z'] },
    });
  });

  it('answers a failure by the convention of NATS micro', async () => {
    const reply = await raw.request(requests.fail.subject, '{"text":""}', { timeout: 2000 });
    expect(reply.headers?.get('Nats-Service-Error-Code')).toBe('409');
    expect(reply.headers?.get('Nats-Service-Error')).toBe(
      'BOOKING_SLOT_TAKEN Sch n, choose another slot.',
    );
    expect(reply.json<Problem>().code).toBe('BOOKING_SLOT_TAKEN');
  });

  it('reveals nothing about an unexpected error', async () => {
    const error = await failureOf(client.request(requests.crash, mentee, { text: '' }));
    expect(error.code).toBe('INTERNAL');
    expect(JSON.stringify(error.toProblem())).not.toContain('ada');
  });

  it('distinguishes a lost database from a bug', async () => {
    const error = await failureOf(client.request(requests.loseDatabase, mentee, { text: '' }));
    expect(error.code).toBe('SERVICE_UNAVAILABLE');
  });

  it('keeps the status of an HTTP exception thrown in a service', async () => {
    const error = await failureOf(client.request(requests.reject, mentee, { text: '' }));
    expect(error).toMatchObject({ code: 'MALFORMED_REQUEST', detail: 'Say it differently.' });
  });

  it('is typed to have a user where the contract demands one, and none where apps ask', () => {
    const send = client.request.bind(client);
    expectTypeOf(send<{ text: string }, unknown, 'user'>)
      .parameter(1)
      .toEqualTypeOf<Caller>();
    expectTypeOf(send<{ text: string }, unknown, 'admin'>)
      .parameter(1)
      .toEqualTypeOf<Caller>();
    expectTypeOf(send<{ text: string }, unknown, 'service'>)
      .parameter(1)
      .toBeUndefined();
    expectTypeOf(send<{ text: string }, unknown, 'public'>)
      .parameter(1)
      .toEqualTypeOf<Caller | undefined>();
  });

  it('needs a signed-in user where the contract requires one', async () => {
    const error = await failureOf(client.request(requests.mine, nobody, { text: '' }));
    expect(error.code).toBe('UNAUTHENTICATED');
    expect(await client.request(requests.mine, mentee, { text: '' })).toEqual({ user_id: 42 });
  });

  it('needs an administrator where the contract requires one', async () => {
    expect((await failureOf(client.request(requests.administer, mentee, { text: '' }))).code).toBe(
      'FORBIDDEN',
    );
    expect((await failureOf(client.request(requests.administer, nobody, { text: '' }))).code).toBe(
      'UNAUTHENTICATED',
    );
    expect(await client.request(requests.administer, admin, { text: '' })).toEqual({ user_id: 1 });
  });

  it('fails at once when nobody listens', async () => {
    const start = Date.now();
    const error = await failureOf(client.request(requests.unserved, mentee, { text: '' }));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 1 });
    expect(Date.now() - start).toBeLessThan(1000);
  });

  it('carries request id, trace, locale, idempotency key and deadline', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const deadline = Date.now() + 3000;
    const context: RequestContext = {
      requestId: 'r-1',
      traceparent,
      locale: 'ru',
      idempotencyKey: 'k-1',
      deadline,
    };
    const seen = await requestContext.run(context, () =>
      client.request(requests.context, mentee, { text: '' }),
    );
    expect(seen).toEqual({ ...context, deadline: expect.any(Number) });
    // By the clock of the service, and without the time on the way.
    expect((seen.deadline ?? 0) - deadline).toBeLessThan(100);
  });

  it('ends at the deadline of the contract on both sides', async () => {
    aborts.length = 0;
    const start = Date.now();
    const error = await failureOf(client.request(requests.slow, mentee, { ms: 600 }));
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    expect(error.detail).toBe(
      'No answer came in time. Check whether it took effect before you try again.',
    );
    expect(Date.now() - start).toBeLessThan(500);
    await expect.poll(() => aborts).toEqual([true]);
  });

  it('answers a late handler itself, when the sender still waits', async () => {
    const sent = headers();
    sent.set('Time-Left-Ms', '100');
    const reply = await raw.request(requests.slow.subject, '{"ms":400}', {
      timeout: 2000,
      headers: sent,
    });
    expect(reply.json<Problem>().code).toBe('DEADLINE_EXCEEDED');
  });

  it('never outlives the deadline of the request it is part of', async () => {
    const context = { requestId: 'r-2', deadline: Date.now() + 80 };
    const start = Date.now();
    const error = await failureOf(
      requestContext.run(context, () => client.request(requests.hold, mentee, { ms: 600 })),
    );
    expect(error.code).toBe('DEADLINE_EXCEEDED');
    expect(Date.now() - start).toBeLessThan(400);
  });

  it.each([1, -1])('is handled by a service whose clock is off by %i hours', async (hours) => {
    const child = await startChild({
      databaseUrl: database.url,
      natsUrl: nats.url,
      service: 'elsewhere',
      clockOffsetMs: hours * 3_600_000,
    });
    const { deadLetters } = operations('elsewhere');
    expect(await client.request(deadLetters.list, admin, {})).toMatchObject({ items: [] });
    child.kill();
    await child.ended;
  });

  it.each([
    ['broken JSON', '{"text":', undefined],
    ['a caller that is no JSON', '{}', { Caller: '{' }],
    ['a caller without a user', '{}', { Caller: '{"roles":["admin"]}' }],
    ['a time that is no number', '{}', { 'Time-Left-Ms': 'soon' }],
    ['a time that has passed', '{}', { 'Time-Left-Ms': '-1' }],
  ])('refuses %s', async (_, body, sentHeaders) => {
    const sent = headers();
    for (const [name, value] of Object.entries(sentHeaders ?? {})) sent.set(name, value);
    const reply = await raw.request(requests.echo.subject, body, { timeout: 2000, headers: sent });
    expect(reply.json<Problem>().code).toBe('MALFORMED_REQUEST');
  });

  it('of another service is checked before its handler runs', async () => {
    expect(await client.request(requests.checked, undefined, { ids: [1, 2] })).toEqual({
      text: '1,2',
    });
    for (const ids of [[1, 2, 3], [1e300], ['1']]) {
      const asked = client.request(requests.checked, undefined, { ids: ids as number[] });
      expect(await failureOf(asked)).toMatchObject({
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'ids' }],
      });
    }
  });

  it('is turned away at once when the service has too much to do', async () => {
    // Handlers of earlier tests that ran into their deadline still count until they end.
    await expect.poll(async () => (await rpcInFlight.get()).values[0]?.value).toBe(0);
    const pending = Array.from({ length: 4 }, () =>
      client.request(requests.hold, mentee, { ms: 400 }),
    );
    const start = Date.now();
    const error = await failureOf(client.request(requests.echo, mentee, { text: '' }));
    expect(error).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 1 });
    expect(Date.now() - start).toBeLessThan(300);
    await Promise.all(pending);
    expect(await client.request(requests.echo, undefined, { text: 'ok' })).toEqual({ text: 'ok' });
  });

  it('gets an error instead of silence when the answer is too large for NATS', async () => {
    const error = await failureOf(client.request(requests.large, mentee, { bytes: 2_000_000 }));
    expect(error.code).toBe('INTERNAL');
  });

  it('says that it is too large itself', async () => {
    const error = await failureOf(
      client.request(requests.echo, mentee, { text: 'x'.repeat(2_000_000) }),
    );
    expect(error.code).toBe('BODY_TOO_LARGE');
  });

  it('is still answered when the service shuts down meanwhile, while new ones are not taken', async () => {
    const other = await startService({
      databaseUrl: database.url,
      directUrl: database.directUrl,
      natsUrl: nats.url,
      service: 'payments',
      controllers: [PaymentsController],
    });
    const reply = client.request(payments.hold, mentee, { ms: 300 });
    await expect.poll(() => running).toBe(1);
    const closed = other.close();
    expect(await reply).toEqual({ text: 'done' });
    await closed;
    expect((await failureOf(client.request(payments.hold, mentee, { ms: 1 }))).code).toBe(
      'SERVICE_UNAVAILABLE',
    );
  });

  it('fails at once while NATS is away and works again when it is back', async () => {
    const pending = failureOf(client.request(requests.hold, mentee, { ms: 2000 }));
    await nats.kill();
    expect((await pending).code).toBe('SERVICE_UNAVAILABLE');
    const start = Date.now();
    const error = await failureOf(client.request(requests.echo, mentee, { text: '' }));
    expect(error.code).toBe('SERVICE_UNAVAILABLE');
    expect(Date.now() - start).toBeLessThan(200);
    await nats.restart();
    await expect
      .poll(() => client.request(requests.echo, undefined, { text: 'hi' }).catch(() => undefined), {
        timeout: 10_000,
      })
      .toEqual({ text: 'hi' });
  });
});

const payments = { hold: request.public<{ ms: number }, Echo>('payments.things.hold') };
let running = 0;

@Controller()
class PaymentsController {
  @Handle(payments.hold)
  async hold(_: Caller | undefined, { ms }: { ms: number }): Promise<Echo> {
    running++;
    await new Promise((resolve) => setTimeout(resolve, ms));
    return { text: 'done' };
  }
}

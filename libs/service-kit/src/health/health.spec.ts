import { Logger } from '@nestjs/common';
import { Gauge, register } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Health, type HealthCheck } from './health.js';
import { type ManagementServer, startManagementServer } from './management-server.js';

describe('the management server', () => {
  let health: Health;
  let server: ManagementServer;

  beforeEach(async () => {
    health = new Health();
    server = await startManagementServer({ host: '127.0.0.1', port: 0, health });
  });

  afterEach(() => server.close());

  const get = async (path: string): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`${server.url}${path}`);
    return { status: response.status, body: await response.json() };
  };

  it('is live at once, and ready when started', async () => {
    expect(await get('/health/live')).toEqual({ status: 200, body: { status: 'up' } });
    expect(await get('/health/ready')).toMatchObject({ status: 503, body: { status: 'starting' } });
    health.markStarted();
    expect(await get('/health/ready')).toMatchObject({ status: 200, body: { status: 'up' } });
  });

  it('says which check fails and why', async () => {
    health.markStarted();
    health.register('nats', () => Promise.resolve());
    health.register('database', () => Promise.reject(new Error('connection refused')));
    expect(await get('/health/ready')).toEqual({
      status: 503,
      body: {
        status: 'down',
        checks: {
          nats: { status: 'up', ms: expect.any(Number) },
          database: { status: 'down', ms: expect.any(Number), error: 'connection refused' },
        },
      },
    });
    expect((await get('/health')).status).toBe(200);
  });

  it('stays ready while a check fails that does not gate readiness, and reports it', async () => {
    health.markStarted();
    health.register('nats', () => Promise.reject(new Error('not connected')), {
      gatesReadiness: false,
    });
    expect(await get('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'up', checks: { nats: { status: 'down', error: 'not connected' } } },
    });
  });

  it('takes a check that hangs for a failed one after 2 s', async () => {
    health.markStarted();
    health.register('database', () => new Promise(() => undefined));
    expect(await get('/health/ready')).toMatchObject({
      status: 503,
      body: { checks: { database: { status: 'down', error: 'no answer within 2000 ms' } } },
    });
  });

  it('runs a check at most once a second, however often health is requested', async () => {
    health.markStarted();
    const check = vi.fn<HealthCheck>(() => Promise.resolve());
    health.register('database', check);
    await Promise.all(Array.from({ length: 10 }, () => get('/health/ready')));
    expect(check).toHaveBeenCalledOnce();
  });

  it('is not ready any more while it drains', async () => {
    health.markStarted();
    health.markDraining();
    expect(await get('/health/ready')).toMatchObject({ status: 503, body: { status: 'draining' } });
    expect((await get('/health/live')).status).toBe(200);
  });

  const failure = async (path: string, init?: RequestInit): Promise<unknown> => {
    const response = await fetch(`${server.url}${path}`, {
      ...init,
      headers: { 'X-Request-ID': 'probe-1' },
    });
    expect(response.headers.get('x-request-id')).toBe('probe-1');
    const { status, headers } = response;
    return { status, allow: headers.get('allow'), body: await response.json() };
  };

  describe('in the one error format', () => {
    it('answers 404 where there is nothing, and names what there is', async () => {
      expect(await failure('/etc/passwd')).toEqual({
        status: 404,
        allow: null,
        body: {
          detail:
            'There is nothing at this address. Try /health, /health/live, /health/ready or /metrics.',
          status_code: 404,
          code: 'NOT_FOUND',
          errors: [],
          request_id: 'probe-1',
        },
      });
    });

    it('answers 405 to anything but GET and HEAD', async () => {
      expect(await failure('/health', { method: 'POST' })).toEqual({
        status: 405,
        allow: 'GET, HEAD',
        body: {
          detail: 'The management port is for reading. Use GET.',
          status_code: 405,
          code: 'MALFORMED_REQUEST',
          errors: [],
          request_id: 'probe-1',
        },
      });
    });

    it('answers 500 when a metric cannot be collected, and logs why', async () => {
      register.registerMetric(
        new Gauge({
          name: 'broken',
          help: 'Cannot be collected.',
          registers: [],
          collect: () => {
            throw new Error('secret internals');
          },
        }),
      );
      const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      try {
        expect(await failure('/metrics')).toEqual({
          status: 500,
          allow: null,
          body: {
            detail: 'Something went wrong on our side. The log says what, under this request id.',
            status_code: 500,
            code: 'INTERNAL',
            errors: [],
            request_id: 'probe-1',
          },
        });
        expect(logged).toHaveBeenCalledWith(
          'A request to the management port failed.',
          expect.objectContaining({ message: 'secret internals' }),
          { request_id: 'probe-1' },
        );
      } finally {
        logged.mockRestore();
        register.removeSingleMetric('broken');
      }
    });
  });
});

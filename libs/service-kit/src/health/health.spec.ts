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

  it('answers 404 and 405 for anything else', async () => {
    expect((await get('/etc/passwd')).status).toBe(404);
    const posted = await fetch(`${server.url}/health`, { method: 'POST' });
    expect(posted.status).toBe(405);
  });
});

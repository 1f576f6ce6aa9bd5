import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Health } from './health.js';
import { healthCommand } from './health-command.js';
import { type ManagementServer, startManagementServer } from './management-server.js';

describe('the health command', () => {
  let health: Health;
  let server: ManagementServer;
  let said: string;

  beforeEach(async () => {
    health = new Health();
    server = await startManagementServer({ host: '127.0.0.1', port: 0, health });
    said = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await server.close();
  });

  it('succeeds once the app is ready, and not before', async () => {
    expect(await healthCommand({}, server.port)).toBe(1);
    expect(said).toContain('answered 503: {"status":"starting"');
    health.markStarted();
    said = '';
    expect(await healthCommand({}, server.port)).toBe(0);
    expect(said).toBe('');
  });

  it('fails with the reason when a dependency is down', async () => {
    health.markStarted();
    health.register('nats', () => Promise.reject(new Error('not connected')));
    expect(await healthCommand({}, server.port)).toBe(1);
    expect(said).toContain('not connected');
  });

  it('asks where the app is configured to listen', async () => {
    health.markStarted();
    const configured = { MANAGEMENT_PORT: String(server.port), MANAGEMENT_HOST: '127.0.0.1' };
    expect(await healthCommand(configured, 1)).toBe(0);
    expect(await healthCommand({ ...configured, MANAGEMENT_HOST: '0.0.0.0' }, 1)).toBe(0);
  });

  it('fails with the name of a wrong variable', async () => {
    expect(await healthCommand({ MANAGEMENT_PORT: 'many' }, server.port)).toBe(1);
    expect(said).toContain('MANAGEMENT_PORT must be a port');
  });

  it('fails when nobody listens', async () => {
    const { port } = server;
    await server.close();
    server = await startManagementServer({ host: '127.0.0.1', port: 0, health });
    expect(await healthCommand({}, port)).toBe(1);
    expect(said).toContain('ECONNREFUSED');
  });

  it('fails when the app accepts a connection and stays silent', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      expect(await healthCommand({}, (silent.address() as AddressInfo).port, 50)).toBe(1);
      expect(said).toContain('no answer within 50 ms');
    } finally {
      silent.close();
    }
  });
});

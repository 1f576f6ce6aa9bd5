import { attack, holdHalfOpen, rawAnswer } from '@mentorhub/http-server-testing';
import { type AppName, appNames, type System } from '@mentorhub/local-system';
import { Actor } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admin, startedSystem } from './started-system.js';

describe('the system, attacked by clients that break, hang and vanish', () => {
  let system: System;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    ({ system, stop } = await startedSystem());
  }, 180_000);

  afterAll(() => stop());

  function processes(): Record<string, number | undefined> {
    return Object.fromEntries(
      appNames.flatMap((app) =>
        system.apps(app).map(({ replica, pid }) => [`${app} ${replica}`, pid]),
      ),
    );
  }

  /** The TCP connections that a process has open, listening ports and this request included. */
  async function openConnections(app: AppName): Promise<number> {
    const { managementPort = 0 } = system.apps(app)[0] ?? {};
    const request = 'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const metrics = await rawAnswer(managementPort, request);
    const row = /^nodejs_active_resources\{type="TCPSocketWrap"\} (\d+)/m.exec(metrics);
    expect(row, `the connections of ${app}`).not.toBeNull();
    return Number(row?.[1]);
  }

  it('at the edge stays up, serves everybody and opens WebSockets', async () => {
    const before = processes();
    const port = Number(new URL(system.urls.edge).port);
    await Promise.all([attack(port, 4_000), holdHalfOpen(port, 200)]);
    expect(processes()).toEqual(before);
    const person = await Actor.signedIn(system.urls.edge, 'admin', admin);
    await person.get('/api/v1/users/me', { expect: 200 });
    const socket = await person.openSocket();
    socket.send({ type: 'ping' });
    await socket.frame('pong');
    socket.close();
  }, 60_000);

  it.each(['api-gateway', 'chat-gateway'] as const)(
    'at the port of %s stays up and keeps no connection',
    async (app) => {
      const before = { processes: processes(), connections: await openConnections(app) };
      const port = system.apps(app)[0]?.port ?? 0;
      await Promise.all([attack(port, 2_000), holdHalfOpen(port, 100)]);
      expect(processes()).toEqual(before.processes);
      await expect
        .poll(() => openConnections(app), { timeout: 15_000 })
        .toBeLessThanOrEqual(before.connections);
    },
    60_000,
  );

  it.each(appNames)(
    'at the management port of %s stays up and keeps no connection',
    async (app) => {
      const before = { processes: processes(), connections: await openConnections(app) };
      const { managementPort = 0 } = system.apps(app)[0] ?? {};
      await attack(managementPort, 500);
      expect(processes()).toEqual(before.processes);
      await expect
        .poll(() => openConnections(app), { timeout: 15_000 })
        .toBeLessThanOrEqual(before.connections);
    },
    30_000,
  );
});

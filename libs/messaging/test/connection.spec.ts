import { copyFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { request } from '@mentorhub/contracts';
import {
  freePort,
  testCertificates,
  type TestCertificates,
  testDatabase,
  type TestDatabase,
  testNats,
} from '@mentorhub/testing';
import { type NatsConnection, nkeys } from '@nats-io/transport-node';
import { Controller, Logger, type Type } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectNats, Handle, type NatsApp, natsApps, natsServerConfig } from '../src/index.js';
import type { NatsConnectionSettings } from '../src/messaging.options.js';
import { addEvents, EffectsController, recorded } from './effects.js';
import { type Fixture, startGateway, startService } from './fixture.js';

type TestNats = Awaited<ReturnType<typeof testNats>>;

const { createUser } = nkeys;

/** Encrypted addresses of servers, by the name in their certificate. */
const tlsAddress = ({ port }: { port: number }): string => `tls://localhost:${port}`;

describe('a connection to NATS by tls://', () => {
  let certificates: TestCertificates;
  /** What the server shows from its next start on. */
  let served: TestCertificates;
  let others: TestCertificates;
  let encrypted: TestNats;
  let plain: TestNats;
  const connections: NatsConnection[] = [];

  beforeAll(async () => {
    [certificates, others] = await Promise.all([
      testCertificates(['localhost']),
      testCertificates(['elsewhere.example']),
    ]);
    served = certificates;
    [encrypted, plain] = await Promise.all([
      testNats({
        config: (port, storeDirectory) =>
          natsServerConfig({
            users: { identity: 'secret' },
            port,
            storeDirectory,
            tls: served,
          }),
      }),
      testNats(),
    ]);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
  });

  afterAll(async () => {
    await Promise.all([encrypted?.stop(), plain?.stop()]);
    await Promise.all([certificates?.remove(), others?.remove()]);
  });

  async function open(connection: NatsConnectionSettings): Promise<NatsConnection> {
    const opened = await connectNats({ service: 'identity', connection, connectTimeoutMs: 500 });
    connections.push(opened);
    return opened;
  }

  it('is made to a server whose certificate the given authority signed', async () => {
    const { caFile } = certificates;
    const nc = await open({
      servers: tlsAddress(encrypted),
      user: 'identity',
      pass: 'secret',
      caFile,
    });
    expect(nc.info?.tls_required).toBe(true);
    await nc.flush();
  });

  it('is made again after server and authority were replaced by others', async () => {
    const renewed = await testCertificates(['localhost']);
    const caFile = `${certificates.caFile}.copy`;
    await copyFile(certificates.caFile, caFile);
    const servers = tlsAddress(encrypted);
    const nc = await open({ servers, user: 'identity', pass: 'secret', caFile });
    const again = (async () => {
      for await (const { type } of nc.status()) if (type === 'reconnect') return true;
      return false;
    })();
    await copyFile(renewed.caFile, caFile);
    served = renewed;
    await encrypted.restart();
    expect(await again).toBe(true);
    await nc.flush();
    served = certificates;
    await encrypted.restart();
    await renewed.remove();
  });

  it('is refused to a server without TLS, which is said with the address', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await expect(open({ servers: tlsAddress(plain) })).rejects.toThrow(
      `NATS at ${tlsAddress(plain)} cannot be used: the server offers no TLS`,
    );
    expect(warn.mock.calls.flat().join()).toContain(
      `waiting for NATS at ${tlsAddress(plain)}: the server offers no TLS`,
    );
  });

  it('is refused to a server whose certificate another authority signed, or none that is known', async () => {
    const connection = { servers: tlsAddress(encrypted), user: 'identity', pass: 'secret' };
    const refusal = `NATS at ${tlsAddress(encrypted)} cannot be used: the certificate of the server is not accepted`;
    await expect(open({ ...connection, caFile: others.caFile })).rejects.toThrow(refusal);
    await expect(open(connection)).rejects.toThrow(refusal);
  });

  it('is refused to a server with a certificate for another name', async () => {
    const server = await testNats({
      config: (port, storeDirectory) =>
        natsServerConfig({ users: {}, port, storeDirectory, tls: others }),
    });
    await expect(open({ servers: tlsAddress(server), caFile: others.caFile })).rejects.toThrow(
      "does not match certificate's altnames",
    );
    await server.stop();
  });

  it('gives no credentials to a server that offers TLS and goes on without', async () => {
    const received: string[] = [];
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      const info = { server_id: 'x', version: '2.9.10', proto: 1, max_payload: 1e6, port: 4222 };
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        received.push(bytes.toString('utf8'));
        if (bytes.includes('PING')) socket.write('PONG\r\n');
      });
      socket.write(`INFO ${JSON.stringify({ ...info, tls_available: 1, headers: true })}\r\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await expect(
      open({
        servers: tlsAddress({ port }),
        user: 'identity',
        pass: 'secret',
        caFile: certificates.caFile,
      }),
    ).rejects.toThrow('did not encrypt');
    expect(received.join('')).not.toContain('secret');
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

const card = request.service<{ id: number }, { id: number }>('identity.users.card');

@Controller()
class IdentityController {
  @Handle(card)
  card(_: unknown, { id }: { id: number }): { id: number } {
    return { id };
  }
}

const controllers: Partial<Record<NatsApp, Type[]>> = {
  identity: [IdentityController],
  notifications: [EffectsController],
};

describe('on three nats-servers that know apps by their public keys', () => {
  const pairs = Object.fromEntries(natsApps.map((app) => [app, createUser()])) as Record<
    NatsApp,
    ReturnType<typeof createUser>
  >;
  const seedOf = (app: NatsApp): string => new TextDecoder().decode(pairs[app].getSeed());
  let certificates: TestCertificates;
  let servers: TestNats[] = [];
  let configurations: string[];
  let databases: TestDatabase[] = [];
  const services: Fixture[] = [];
  const errors: string[] = [];
  let gateway: Awaited<ReturnType<typeof startGateway>>;

  beforeAll(async () => {
    certificates = await testCertificates(['localhost']);
    const routePorts = await Promise.all([freePort(), freePort(), freePort()]);
    const users = Object.fromEntries(
      natsApps.map((app) => [app, { nkey: pairs[app].getPublicKey() }]),
    );
    configurations = [];
    servers = await Promise.all(
      routePorts.map((routePort, index) =>
        testNats({
          config: (port, storeDirectory) => {
            const text = natsServerConfig({
              users,
              port,
              storeDirectory,
              serverName: `nats-${index}`,
              tls: certificates,
              cluster: {
                name: 'mentorhub',
                port: routePort,
                routes: routePorts.map((each) => `nats://localhost:${each}`),
                tls: certificates,
              },
            });
            configurations.push(text);
            return text;
          },
        }),
      ),
    );
    vi.spyOn(Logger.prototype, 'error').mockImplementation((error) => errors.push(String(error)));
    // Identity last: the others wait for the stream, which it alone may make.
    const names = ['mentorship', 'notifications', 'identity'] as const;
    databases = await Promise.all(names.map((name) => testDatabase(`nkey_${name}`)));
    const natsUrl = servers.map(tlsAddress);
    for (const [index, service] of names.entries()) {
      services.push(
        await startService({
          service,
          natsUrl,
          user: credentialsOf(service),
          databaseUrl: databases[index]?.url ?? '',
          controllers: controllers[service],
        }),
      );
    }
    gateway = await startGateway(natsUrl, 'api-gateway', credentialsOf('api-gateway'));
  });

  afterAll(async () => {
    await gateway?.close();
    await Promise.all(services.map((service) => service.close()));
    await Promise.all(databases.map((database) => database.drop()));
    await Promise.all(servers.map((server) => server.stop()));
    await certificates?.remove();
  });

  const credentialsOf = (app: NatsApp) => ({
    nkeySeed: seedOf(app),
    caFile: certificates.caFile,
  });

  it('requests and events work', async () => {
    expect(await gateway.client.request(card, undefined, { id: 1 })).toEqual({ id: 1 });
    const [mentorship, notifications] = services;
    if (!mentorship || !notifications) throw new Error('not started');
    await addEvents(mentorship.database, [['1', { n: 1 }]]);
    await expect.poll(() => recorded(notifications.database), { timeout: 20_000 }).toEqual([1]);
  });

  it('services wait for the stream without asking for what they may not do', () => {
    expect(errors).toEqual([]);
  });

  it('the permissions are those of the app whose key it is', async () => {
    const connection = { servers: servers.map(tlsAddress), ...credentialsOf('chat') };
    const nc = await connectNats({ service: 'chat', connection });
    const denied: string[] = [];
    void (async () => {
      for await (const status of nc.status()) {
        if (status.type === 'error') denied.push(status.error.message);
      }
    })();
    nc.publish('rpc.identity.users.people', '{}');
    nc.publish(card.subject, '{}');
    await expect.poll(() => denied).toHaveLength(1);
    expect(denied.join()).toContain(card.subject);
    await nc.close();
  });

  it('a key that the servers do not know is refused', async () => {
    const stranger = new TextDecoder().decode(createUser().getSeed());
    const connection = {
      servers: servers.map(tlsAddress),
      caFile: certificates.caFile,
      nkeySeed: stranger,
    };
    await expect(connectNats({ service: 'identity', connection })).rejects.toThrow(
      /authorization violation/i,
    );
  });

  it('the configuration has no secret', () => {
    const text = configurations.join('\n');
    expect(text).not.toMatch(/\bpassword\b/);
    for (const app of natsApps) {
      expect(text).toContain(pairs[app].getPublicKey());
      expect(text).not.toContain(seedOf(app));
    }
  });
});

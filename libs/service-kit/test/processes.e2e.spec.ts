import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectNats } from '@mentorhub/messaging';
import { tcpProxy, testDatabase, type TestDatabase, testNats } from '@mentorhub/testing';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Child } from './child.js';

const ready = { timeout: 8000, interval: 50 };

/** A port that nobody uses now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The status that an address answers with; undefined when nobody answers. */
async function status(url: string): Promise<number | undefined> {
  try {
    return (await fetch(url)).status;
  } catch {
    return undefined;
  }
}

/** What a process says about its connection to NATS, given its management address. */
async function connected({ management }: { management: string }): Promise<string | undefined> {
  const metrics = await (await fetch(`${management}/metrics`)).text();
  return /^nats_connected \d$/m.exec(metrics)?.[0];
}

describe('an app as a process', () => {
  let database: TestDatabase;
  let nats: Awaited<ReturnType<typeof testNats>>;
  let client: NatsConnection;
  const children: Child[] = [];

  beforeAll(async () => {
    [database, nats] = await Promise.all([testDatabase('kit_process'), testNats()]);
    client = await connectNats({ service: 'test', connection: { servers: nats.url } });
  });

  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.end()));
  });

  afterAll(async () => {
    await client?.close();
    await nats?.stop();
    await database?.drop();
  });

  const environment = (own: Record<string, string> = {}): Record<string, string> => ({
    PROFILE: 'local',
    LOG_FORMAT: 'json',
    NATS_URL: nats.url,
    DATABASE_URL_ECHO: database.url,
    RUN_MIGRATIONS: 'true',
    MANAGEMENT_PORT: '0',
    ...own,
  });

  const start = (fixture: string, own?: Record<string, string>): Child => {
    const child = new Child(fixture, environment(own));
    children.push(child);
    return child;
  };

  /** Starts a fixture and waits until it is ready to take work. */
  const started = async (
    fixture: string,
    own: Record<string, string> = {},
  ): Promise<{ child: Child; management: string }> => {
    const port = await freePort();
    const management = `http://127.0.0.1:${port}`;
    const child = start(fixture, { MANAGEMENT_PORT: String(port), ...own });
    await expect
      .poll(() => (child.running ? status(`${management}/health/ready`) : child.stdout), ready)
      .toBe(200);
    return { child, management };
  };

  const ask = async (subject: string, data: object): Promise<unknown> => {
    const reply = await client.request(subject, JSON.stringify(data), { timeout: 10_000 });
    return reply.data.length === 0 ? undefined : reply.json();
  };

  const say = () => ask('rpc.echo.texts.say', { text: 'a', ms: 0 });

  it('exits with 78 and lists every error of its configuration', async () => {
    const child = start('echo.main.js', { NATS_URL: 'nonsense', LOG_LEVEL: 'x', REPEAT: '10' });
    const { code, stderr } = await child.exited;
    expect(code).toBe(78);
    expect(stderr.trim().split('\n')).toHaveLength(4);
    expect(stderr).toContain('echo: The configuration has 3 errors:');
    expect(stderr).toContain('REPEAT must be a whole number from 1 to 9, not “10”.');
  });

  it('exits with 78 and names the file of a secret that is not there', async () => {
    const child = start('echo.main.js', { NATS_PASSWORD_FILE: '/nowhere/nats-password' });
    const { code, stderr } = await child.exited;
    expect(code).toBe(78);
    expect(stderr).toContain('NATS_PASSWORD_FILE names a file that does not exist');
    expect(stderr).not.toContain('/nowhere');
  });

  it('migrates, serves, finishes the requests in flight on SIGTERM and exits with 0', async () => {
    const { child, management } = await started('echo.main.js', { REPEAT: '2' });
    expect(await ask('rpc.echo.texts.say', { text: 'a', ms: 0 })).toEqual({ text: 'aa' });

    const inFlight = Promise.all(
      ['b', 'c', 'd'].map((text) => ask('rpc.echo.texts.say', { text, ms: 600 })),
    );
    await client.flush();
    child.kill('SIGTERM');
    await expect.poll(() => status(`${management}/health/ready`), ready).not.toBe(200);
    expect(await inFlight).toEqual([{ text: 'bb' }, { text: 'cc' }, { text: 'dd' }]);
    const { code, stderr } = await child.exited;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(child.lines.at(-1)).toMatchObject({ service: 'echo', msg: 'Stopped.' });
  });

  it('exits with 1 when the shutdown takes too long, and logs it', async () => {
    const { child } = await started('echo.main.js', { SHUTDOWN_TIMEOUT_MS: '300' });
    const lost = ask('rpc.echo.texts.say', { text: 'a', ms: 5000 }).catch(() => 'lost');
    await client.flush();
    child.kill('SIGTERM');
    expect((await child.exited).code).toBe(1);
    expect(child.lines.at(-1)).toMatchObject({
      level: 'fatal',
      msg: expect.stringContaining('longer than 300 ms'),
    });
    void lost;
  });

  it('logs an error that nobody handled and exits with 1', async () => {
    const { child } = await started('echo.main.js');
    // Whether an answer leaves before the process ends is left open.
    client.publish('rpc.echo.texts.crash', '{}', { reply: '_INBOX.nobody' });
    expect((await child.exited).code).toBe(1);
    expect(child.lines.at(-1)).toMatchObject({
      level: 'fatal',
      err: { message: 'nobody handles this' },
    });
  });

  it('exits with 1 when the database lacks migrations, and says how to run them', async () => {
    const other = await testDatabase('kit_empty');
    const child = start('echo.main.js', { DATABASE_URL_ECHO: other.url, RUN_MIGRATIONS: 'false' });
    expect((await child.exited).code).toBe(1);
    expect(child.stdout).toContain('run migrate.js, or start with RUN_MIGRATIONS=true');
    await other.drop();
  });

  it('writes no email address and no password, whatever is logged', async () => {
    const { child } = await started('echo.main.js');
    await ask('rpc.echo.texts.leak', { email: 'ada@example.com', password: 'hunter2hunter2' });
    await expect.poll(() => child.stdout).toContain('Cannot sign [mail] in.');
    expect(child.stdout).not.toContain('ada@example.com');
    expect(child.stdout).not.toContain('hunter2hunter2');
  });

  it('writes lines for people when asked to', async () => {
    const { child } = await started('echo.main.js', { LOG_FORMAT: 'pretty' });
    await ask('rpc.echo.texts.leak', { email: 'ada@example.com', password: 'hunter2hunter2' });
    await expect
      .poll(() => child.stdout)
      .toMatch(/\[\d\d:\d\d:\d\d\.\d{3}\] WARN: Echo: Cannot sign \[mail\] in\./);
    expect(child.stdout).not.toContain('hunter2hunter2');
  });

  it.each(['json', 'pretty'])(
    'serves on, and rests in between, when nobody reads its %s log any more',
    async (format) => {
      const { child, management } = await started('echo.main.js', { LOG_FORMAT: format });
      child.stopReading();
      for (let line = 0; line < 20; line++) {
        await ask('rpc.echo.texts.leak', { email: 'ada@example.com', password: 'hunter2hunter2' });
      }
      const cpuSeconds = async (): Promise<number> => {
        const metrics = await (await fetch(`${management}/metrics`)).text();
        return Number(/^process_cpu_seconds_total (\S+)/m.exec(metrics)?.[1]);
      };
      /** The part of a core that it uses while it has nothing to do, measured for two seconds. */
      const share = async (): Promise<number> => {
        const [before, since] = [await cpuSeconds(), performance.now()];
        await delay(2000);
        return ((await cpuSeconds()) - before) / ((performance.now() - since) / 1000);
      };
      await expect.poll(share, ready).toBeLessThan(0.25);
      expect(await say()).toEqual({ text: 'a' });
      expect(child.running).toBe(true);
      child.kill('SIGTERM');
      expect((await child.exited).code).toBe(0);
    },
  );

  it('reports its pool, its requests and its event loop', async () => {
    const { management } = await started('echo.main.js');
    await ask('rpc.echo.texts.say', { text: 'a', ms: 0 });
    const metrics = await (await fetch(`${management}/metrics`)).text();
    expect(metrics).toMatch(/^db_pool_total [1-9]/m);
    expect(metrics).toMatch(/^db_pool_waiting 0$/m);
    expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    expect(metrics).toMatch(/^rpc_requests_total\{.*subject="rpc.echo.texts.say".*\} 1$/m);
    const health: unknown = await (await fetch(`${management}/health`)).json();
    expect(health).toMatchObject({
      status: 'up',
      checks: { nats: { status: 'up' }, database: { status: 'up' } },
    });
  });

  it('reports whether it serves and whether NATS is there', async () => {
    const own = await testNats();
    const { child, management } = await started('echo.main.js', { NATS_URL: own.url });
    const metrics = async (): Promise<string> => (await fetch(`${management}/metrics`)).text();
    expect(await metrics()).toMatch(/^nats_connected 1$/m);
    expect(await metrics()).toMatch(/^app_serving 1$/m);

    await own.stop();
    await expect.poll(metrics, ready).toMatch(/^nats_connected 0$/m);
    expect(await metrics()).toMatch(/^app_serving 1$/m);
    expect(child.running).toBe(true);
  });

  it('does not serve while it waits for its broker', async () => {
    const [port, broker] = [await freePort(), await freePort()];
    start('echo.main.js', {
      MANAGEMENT_PORT: String(port),
      NATS_URL: `nats://127.0.0.1:${broker}`,
    });
    const metrics = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await expect.poll(() => metrics().catch(() => ''), ready).toMatch(/^app_serving 0$/m);
  });

  it('answers 503 while PostgreSQL is silent, reports it, and recovers by itself', async () => {
    const proxy = await tcpProxy(database.url);
    const { management } = await started('echo.main.js', { DATABASE_URL_ECHO: proxy.url });
    const metrics = async (): Promise<string> => (await fetch(`${management}/metrics`)).text();
    expect(await say()).toEqual({ text: 'a' });
    expect(await metrics()).toMatch(/^db_up 1$/m);

    proxy.silence();
    const unavailable = expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' });
    const silentAt = Date.now();
    expect(await Promise.all([say(), say(), say()])).toEqual(Array(3).fill(unavailable));
    expect(Date.now() - silentAt).toBeLessThan(5000);
    await expect.poll(() => status(`${management}/health/ready`), ready).toBe(503);
    expect(await metrics()).toMatch(/^db_up 0$/m);
    await expect.poll(metrics, ready).toMatch(/^events_active 0$/m);

    proxy.forward();
    const recovery = { timeout: 15_000, interval: 100 };
    await expect.poll(() => status(`${management}/health/ready`), recovery).toBe(200);
    await expect.poll(say, recovery).toEqual({ text: 'a' });
    await expect.poll(metrics, recovery).toMatch(/^events_active 1$/m);
    expect(await metrics()).toMatch(/^db_up 1$/m);
    await proxy.close();
  }, 40_000);

  it('without NATS is not ready as a service, and stays ready as a gateway', async () => {
    const own = await testNats();
    const service = await started('echo.main.js', { NATS_URL: own.url });
    const gateway = await started('door.main.js', { NATS_URL: own.url, PORT: '0' });
    expect(await Promise.all([service, gateway].map(connected))).toEqual(
      Array(2).fill('nats_connected 1'),
    );

    await own.kill();
    await expect.poll(() => status(`${service.management}/health/ready`), ready).toBe(503);
    await expect
      .poll(async () => (await fetch(`${gateway.management}/health/ready`)).json(), ready)
      .toMatchObject({ status: 'up', checks: { nats: { status: 'down' } } });
    expect(await status(`${gateway.management}/health/ready`)).toBe(200);
    expect(await Promise.all([service, gateway].map(connected))).toEqual(
      Array(2).fill('nats_connected 0'),
    );

    await own.restart();
    await expect.poll(() => status(`${service.management}/health/ready`), ready).toBe(200);
    await expect.poll(() => connected(gateway), ready).toBe('nats_connected 1');
    await Promise.all([service.child, gateway.child].map((child) => child.end()));
    await own.stop();
  }, 30_000);

  it('fits into 160 MB when it has nothing to do', async () => {
    const { management } = await started('echo.main.js', { NODE_ENV: 'production' });
    const metrics = await (await fetch(`${management}/metrics`)).text();
    const bytes = Number(/^process_resident_memory_bytes (\d+)/m.exec(metrics)?.[1]);
    expect(bytes / 2 ** 20).toBeLessThan(160);
  });

  it('migrates as a task, and finds nothing left the next time', async () => {
    const other = await testDatabase('kit_migrate');
    const first = await start('echo.migrate.js', { DATABASE_URL_ECHO: other.url }).exited;
    const second = await start('echo.migrate.js', { DATABASE_URL_ECHO: other.url }).exited;
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(first.stderr).toMatch(/Ran \d+ migrations/);
    expect(second.stderr).toContain('The database is up to date.');
    await other.drop();
  });

  it('loads demo data once, even when two try at the same time, after the migrations', async () => {
    const other = await testDatabase('kit_demo');
    const own = { DATABASE_URL_ECHO: other.url };
    const loading = [start('echo.demo-data.js', own), start('echo.demo-data.js', own)];
    await start('echo.migrate.js', own).exited;
    const exits = await Promise.all(loading.map((child) => child.exited));
    expect(exits).toMatchObject([
      { code: 0, stderr: '' },
      { code: 0, stderr: '' },
    ]);
    expect(exits.map(({ stdout }) => stdout).toSorted()).toEqual([
      '{"added":0,"text":"a"}\n',
      '{"added":1,"text":"a"}\n',
    ]);
    await other.drop();
  });

  it('prints all of what the demo data came to, however long it is', async () => {
    const other = await testDatabase('kit_long_demo');
    const own = { DATABASE_URL_ECHO: other.url, REPEAT: '9' };
    await start('echo.migrate.js', own).exited;
    const { code, stdout } = await start('echo.demo-data.js', own).exited;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ added: 1, text: 'a'.repeat(9 ** 6) });
    await other.drop();
  });

  it('loads no demo data outside of the local profile', async () => {
    const other = await testDatabase('kit_no_demo');
    const { code, stderr } = await start('echo.demo-data.js', {
      DATABASE_URL_ECHO: other.url,
      PROFILE: 'production',
      PUBLIC_URL: 'https://mentorhub.example',
    }).exited;
    expect(code).toBe(78);
    expect(stderr).toContain('PROFILE must be local');
    await other.drop();
  });

  it('as a gateway answers every request through a SIGTERM and exits with 0', async () => {
    await started('echo.main.js');
    const port = await freePort();
    const door = `http://127.0.0.1:${port}`;
    const { child, management } = await started('door.main.js', {
      PORT: String(port),
      SHUTDOWN_DELAY_MS: '300',
    });
    const slow = Array.from({ length: 5 }, () => fetch(`${door}/say/x/700`));
    await expect
      .poll(() => fetch(`${door}/say/y/0`).then((answer) => answer.json()))
      .toEqual({
        text: 'y',
      });
    const metrics = await (await fetch(`${management}/metrics`)).text();
    expect(metrics).toMatch(
      /^http_requests_total\{method="GET",route="\/say\/:text\/:ms",status="200"\} \d/m,
    );

    child.kill('SIGTERM');
    await expect.poll(() => status(`${management}/health/ready`), ready).toBe(503);
    const during = await fetch(`${door}/say/z/0`);
    expect(during.status).toBe(200);
    expect(during.headers.get('connection')).toBe('close');
    const answers = await Promise.all(slow);
    expect(child.stdout).not.toContain('"level":"error"');
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
    expect((await child.exited).code).toBe(0);
    expect(child.stderr).toBe('');
  });

  it('as a gateway serves a load balancer that learns late of a SIGTERM', async () => {
    await started('echo.main.js');
    const port = await freePort();
    const { child, management } = await started('door.main.js', {
      PORT: String(port),
      SHUTDOWN_DELAY_MS: '1000',
    });
    const asked = performance.now();
    child.kill('SIGTERM');
    await expect.poll(() => status(`${management}/health/ready`), ready).toBe(503);
    const call = async (): Promise<number | 'refused'> => {
      const answer = fetch(`http://127.0.0.1:${port}/say/z/0`);
      return answer.then(
        ({ status: code }) => code,
        () => 'refused' as const,
      );
    };
    let answer = await call();
    while (answer === 200) {
      await delay(20);
      answer = await call();
    }
    expect(answer).toBe('refused');
    // The delay and half of it again; timers may be a moment early.
    expect(performance.now() - asked).toBeGreaterThan(1490);
    expect((await child.exited).code).toBe(0);
  });

  describe('with a collector for traces', () => {
    interface Span {
      name: string;
      traceId: string;
      spanId: string;
      parentSpanId?: string;
      service: string;
    }

    let collector: Server;
    let endpoint: string;
    const spans: Span[] = [];

    beforeAll(async () => {
      collector = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          spans.push(...readSpans(Buffer.concat(chunks).toString()));
          response.setHeader('content-type', 'application/json').end('{}');
        });
      });
      await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
      endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    });

    afterAll(() => {
      collector.closeAllConnections();
      collector.close();
    });

    interface Exported {
      resourceSpans: {
        resource: { attributes: { key: string; value: { stringValue?: string } }[] };
        scopeSpans: { spans: Omit<Span, 'service'>[] }[];
      }[];
    }

    function readSpans(body: string): Span[] {
      return (JSON.parse(body) as Exported).resourceSpans.flatMap(({ resource, scopeSpans }) => {
        const service =
          resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service })));
      });
    }

    it('makes one trace of HTTP, NATS and PostgreSQL, across two processes', async () => {
      const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' };
      await started('echo.main.js', tracing);
      const port = await freePort();
      await started('door.main.js', { ...tracing, PORT: String(port) });
      const traceId = '0af7651916cd43dd8448eb211c80319c';
      const answer = await fetch(`http://127.0.0.1:${port}/say/hi/0`, {
        headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      });
      expect(await answer.json()).toEqual({ text: 'hi' });

      const mine = (): Span[] => spans.filter((span) => span.traceId === traceId);
      const find = (service: string, name: RegExp): Span | undefined =>
        mine().find((span) => span.service === service && name.test(span.name));
      await expect.poll(() => find('echo', /^pg\.query/)?.name, ready).toMatch(/^pg\.query:SELECT/);
      await expect.poll(() => find('door', /^GET/)?.name, ready).toBeDefined();

      const ancestors: string[] = [];
      let span = find('echo', /^pg\.query/);
      while (span) {
        ancestors.push(`${span.service}: ${span.name}`);
        const { parentSpanId } = span;
        span = mine().find(({ spanId }) => spanId === parentSpanId);
      }
      expect(ancestors).toEqual([
        expect.stringMatching(/^echo: pg\.query:SELECT/),
        'echo: rpc.echo.texts.say process',
        expect.stringMatching(/^door: rpc\.echo\.texts\.say/),
        expect.stringMatching(/^door: GET/),
      ]);
    });

    it('works and stops in time when the collector is not there', async () => {
      const { child } = await started('echo.main.js', {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
        OTEL_BSP_SCHEDULE_DELAY: '50',
      });
      expect(await ask('rpc.echo.texts.say', { text: 'a', ms: 0 })).toEqual({ text: 'a' });
      child.kill('SIGTERM');
      expect((await child.exited).code).toBe(0);
    });
  });
});

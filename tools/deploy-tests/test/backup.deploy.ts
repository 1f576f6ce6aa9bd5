import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findTool, workspaceRoot } from '@mentorhub/local-system';
import { Actor, ActorSocket, type Credentials, eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run, type Result } from '../src/command.js';
import { ComposeProject } from '../src/compose.js';
import { EdgeClient } from '../src/edge-client.js';
import { appImages, Docker } from '../src/images.js';
import { type Acknowledged, Load } from '../src/load.js';

const engine = inject('engine');
const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'];

/** The path of age or of its companion. */
function findAge(name: 'age' | 'age-keygen'): Promise<string> {
  return findTool({
    name,
    package: 'age',
    missing: 'age, which encrypts backups, is not installed.',
    versionArguments: ['--version'],
    isVersion: (output) => /\d+\.\d+/.test(output),
    howToInstall: ['Debian, Ubuntu sudo apt-get install age', 'https://age-encryption.org'],
  });
}

describe('backup and restore', () => {
  let project: ComposeProject;
  let folder: string;
  let settings: Record<string, string>;
  let recipient: string;
  let baseUrl: string;
  let closeProxy: (() => void) | undefined;
  let load: Load;
  /** Signed in before the backup, and silent since. */
  let veteran: Actor;
  let credentials: Credentials;
  let position: { epoch: string; offset: number };
  let before: Acknowledged;
  let after: Acknowledged;
  /** Rows of the ledger when the system was lost, by id. */
  let ledgerBefore: Map<number, string>;
  let encrypted: string;

  const backup = (...parameters: string[]): Promise<Result> =>
    project.attempt('deploy/backup', [...parameters, join(folder, 'backups')], settings);
  /** In the folder of backups, without the lock. */
  const files = (): string[] =>
    readdirSync(join(folder, 'backups')).filter((name) => name !== `.${project.name}-lock`);
  const restore = (...parameters: string[]): Promise<Result> =>
    project.attempt('deploy/restore', parameters, settings);
  const key = (): string => join(folder, 'key.txt');

  async function rows<Row>(database: string, sql: string): Promise<Row[]> {
    const query = `SELECT coalesce(json_agg(t), '[]') FROM (${sql}) AS t`;
    const flags = ['--username=postgres', `--dbname=${database}`, '--no-psqlrc', '-qAt'];
    const text = await project.compose('exec', '-T', 'postgres', 'psql', ...flags, '-c', query);
    return JSON.parse(text) as Row[];
  }

  /** What a refused restore must leave as it is: containers, since when they run, volumes and secrets. */
  async function state(): Promise<string> {
    const ours = `label=com.docker.compose.project=${settings['COMPOSE_PROJECT_NAME']}`;
    const containers = await project.docker('ps', '--all', '--quiet', '--filter', ours);
    const running = await project.docker('ps', '--quiet', '--filter', ours);
    const volumes = await project.docker('volume', 'ls', '--quiet', '--filter', ours);
    const secrets = existsSync(project.secrets)
      ? readdirSync(project.secrets).map((name) => [
          name,
          readFileSync(join(project.secrets, name), 'utf8'),
        ])
      : 'none';
    const others = readdirSync(dirname(project.secrets)).filter((name) =>
      name.startsWith('secrets.'),
    );
    return JSON.stringify([containers, running, volumes, secrets, others]);
  }

  async function connect(): Promise<void> {
    closeProxy?.();
    await project.saveAuthority();
    const edge = new EdgeClient(project.httpsPort, project.authority);
    await eventually(
      'the edge to answer',
      async () =>
        edge.request('/health/ready').then(
          ({ status }) => (status === 200 ? true : undefined),
          () => undefined,
        ),
      60_000,
    );
    const { port, close } = await edge.plainPort();
    closeProxy = close;
    baseUrl = `http://localhost:${port}`;
  }

  interface Streams {
    account_details?: {
      stream_detail?: { consumer_detail?: { num_pending: number; num_ack_pending: number }[] }[];
    }[];
  }

  /** Waits until every event is published and handled, and everybody is notified. */
  async function settled(): Promise<void> {
    const page = 'http://127.0.0.1:8222/jsz?consumers=true';
    await eventually(
      'all events to be handled',
      async () => {
        const text = await project.compose('exec', '-T', 'nats', 'wget', '-q', '-O', '-', page);
        const { account_details: accounts = [] } = JSON.parse(text) as Streams;
        const consumers = accounts
          .flatMap(({ stream_detail: streams = [] }) => streams)
          .flatMap(({ consumer_detail: details = [] }) => details);
        if (consumers.length < 9) return undefined;
        if (consumers.some((one) => one.num_pending + one.num_ack_pending > 0)) return undefined;
        for (const service of services) {
          const [waiting] = await rows(
            service,
            'SELECT FROM outbox WHERE published_at IS NULL UNION ALL SELECT FROM inbox_retries LIMIT 1',
          );
          if (waiting) return undefined;
        }
        const [deferred] = await rows(
          'notifications',
          'SELECT FROM deferred_notifications LIMIT 1',
        );
        return deferred ? undefined : true;
      },
      120_000,
    );
  }

  const ledger = async (): Promise<Map<number, string>> => {
    const entries = await rows<{ id: number }>(
      'payments',
      'SELECT * FROM ledger_entries ORDER BY id',
    );
    return new Map(entries.map((entry) => [entry.id, JSON.stringify(entry)]));
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mentorhub-backup-'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    for (const name of ['age', 'age-keygen'] as const) {
      await run('ln', ['-s', await findAge(name), join(bin, name)]);
    }
    project = await ComposeProject.make('backup', {
      engine,
      version: await appImages(new Docker(engine), inject('bases')),
      servers: inject('servers'),
      overrides: ['deploy/compose/try.yml', 'tools/deploy-tests/src/load.yml'],
    });
    const environment = project.environment();
    settings = {
      PATH: `${bin}:${environment['PATH']}`,
      COMPOSE_PROJECT_NAME: environment['COMPOSE_PROJECT_NAME'] ?? '',
    };
    await run(join(bin, 'age-keygen'), ['-o', key()]);
    await run(join(bin, 'age-keygen'), ['-o', join(folder, 'other-key.txt')]);
    recipient = /age1\w+/.exec(readFileSync(key(), 'utf8'))?.[0] ?? '';

    await project.makeSecrets();
    await project.compose('up', '--no-build', '--detach', '--wait');
    await connect();
    load = new Load(baseUrl, {
      email: 'admin@demo.mentorhub.example',
      password: readFileSync(join(project.secrets, 'admin-password'), 'utf8').trim(),
    });
    await load.prepare();
    veteran = new Actor(baseUrl, 'veteran');
    credentials = await load.join(veteran);
    await veteran.post('/api/v1/messages', {
      recipient_id: load.mentor.userId,
      text: 'Long ago',
    });
    const socket = await veteran.openSocket();
    const welcome = await socket.frame('welcome');
    position = { epoch: String(welcome['epoch']), offset: Number(welcome['offset']) };
    socket.close();
  });

  afterAll(async () => {
    closeProxy?.();
    await project.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('backs up a system under load, one of whose services has fallen behind', async () => {
    load.start();
    const paid = (count: number): Promise<true> =>
      eventually(
        `${count} payments`,
        () => (load.facts().paid.length >= count ? true : undefined),
        60_000,
      );
    await paid(10);
    // What is published from now on is not handled: it is on its way at the moment of the backup.
    await project.compose('pause', 'notifications');
    await paid(load.facts().paid.length + 6);
    before = load.facts();
    const metrics = join(folder, 'metrics');
    mkdirSync(metrics);
    const started = Date.now() / 1000;
    const { code, stdout, stderr } = await backup('--recipient', recipient, '--metrics', metrics);
    expect([code, stderr]).toEqual([0, '']);
    encrypted = stdout.trim();
    await paid(load.facts().paid.length + 3);
    await project.compose('unpause', 'notifications');
    after = await load.stop();
    expect(before.messages.size).toBeGreaterThan(5);
    expect(after.messages.size).toBeGreaterThan(before.messages.size);
    expect(after.accounts.length).toBeGreaterThan(before.accounts.length);

    expect(files()).toEqual([
      expect.stringMatching(new RegExp(`^${project.name}-\\d{8}T\\d{6}Z\\.tar$`)),
    ]);
    expect(statSync(encrypted).mode & 0o777).toBe(0o600);
    const bytes = readFileSync(encrypted);
    const secret = readFileSync(join(project.secrets, 'secret-key'), 'utf8').trim();
    expect(bytes.includes(secret)).toBe(false);
    expect(bytes.includes(credentials.email)).toBe(false);
    const written = readFileSync(join(metrics, 'mentorhub_backup.prom'), 'utf8');
    const time = /^mentorhub_backup_last_success_timestamp_seconds (\d+)$/m.exec(written)?.[1];
    expect(Number(time)).toBeGreaterThanOrEqual(Math.floor(started));
    expect(await rows('postgres', 'SELECT * FROM pg_replication_slots')).toEqual([]);
  });

  it('refuses what is cut off, changed, foreign or for another key, and changes nothing', async () => {
    await settled();
    const untouched = await state();
    const bytes = readFileSync(encrypted);
    const other = join(folder, 'other.tar');
    const flip = (at: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };
    for (const content of [
      bytes.subarray(0, 700),
      bytes.subarray(0, bytes.length / 2),
      bytes.subarray(0, -512),
      flip(3000),
      flip(bytes.length / 2),
      flip(bytes.length - 1600),
      Buffer.from('a letter'),
    ]) {
      writeFileSync(other, content);
      const { code, stderr } = await restore('--yes', '--identity', key(), other);
      expect(stderr).toMatch(/damaged|cut off|no backup of MentorHub/);
      expect(code).toBe(1);
    }
    for (const [parameters, why] of [
      [['--identity', join(folder, 'other-key.txt')], 'cannot be opened with the key'],
      [['--identity', join(folder, 'no-key.txt')], 'there is no age key at'],
      [[], 'is encrypted: name the file of its age key'],
    ] as const) {
      const { code, stderr } = await restore('--yes', ...parameters, encrypted);
      expect([code, stderr]).toEqual([1, expect.stringContaining(why)]);
    }
    // Whole, but nobody agreed to it.
    const { code, stderr } = await restore('--identity', key(), encrypted);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/nobody to ask: give --yes .*\n.*nothing was changed/),
    ]);
    expect(await state()).toBe(untouched);
  });

  it('restores it when everything is lost', async () => {
    ledgerBefore = await ledger();
    await project.compose('down', '--volumes');
    rmSync(project.secrets, { recursive: true });
    const { code, stderr } = await restore('--identity', key(), encrypted);
    expect(stderr).toContain('restore: done');
    expect(code).toBe(0);
    await connect();
    await settled();
  }, 600_000);

  it('has every message that was acknowledged before the backup once, and none that nobody wrote', async () => {
    const stored = await rows<{ id: number; sender_id: number; text: string; client_id: string }>(
      'chat',
      'SELECT id, sender_id, text, client_id FROM messages WHERE client_id IS NOT NULL',
    );
    const byClientId = Map.groupBy(stored, ({ client_id: id }) => id);
    for (const [clientId, { id, senderId, content }] of before.messages) {
      expect(byClientId.get(clientId)).toEqual([
        { id, sender_id: senderId, text: content, client_id: clientId },
      ]);
    }
    // What came during the backup may be there or not.
    expect(stored.filter(({ client_id: id }) => !after.written.has(id))).toEqual([]);
  });

  it('has a balanced ledger, the same as before', async () => {
    const entries = await ledger();
    for (const [id, entry] of entries) expect(entry).toBe(ledgerBefore.get(id));
    expect(
      await rows('payments', 'SELECT sum(amount_minor)::int AS sum FROM ledger_entries'),
    ).toEqual([{ sum: 0 }]);
    const succeeded = await rows<{ booking_id: number; captures: number }>(
      'payments',
      `SELECT booking_id, count(ledger_transactions.id)::int AS captures
       FROM amounts_due JOIN payments ON amount_due_id = amounts_due.id AND status = 'succeeded'
       LEFT JOIN ledger_transactions ON payment_id = payments.id AND kind = 'capture' GROUP BY 1`,
    );
    expect(succeeded.filter(({ captures }) => captures !== 1)).toEqual([]);
    const paid = new Set(succeeded.map(({ booking_id: id }) => id));
    expect(before.paid.filter((id) => !paid.has(id))).toEqual([]);
  });

  it('has every paid booking paid, and everybody notified of it once', async () => {
    const paid = await rows<{ id: number }>(
      'payments',
      `SELECT booking_id AS id FROM amounts_due JOIN payments ON amount_due_id = amounts_due.id
       WHERE status = 'succeeded' ORDER BY 1`,
    );
    expect(paid.length).toBeGreaterThanOrEqual(before.paid.length);
    expect(
      await rows('mentorship', `SELECT id FROM bookings WHERE payment_status = 'paid' ORDER BY id`),
    ).toEqual(paid);
    const bookings = (await rows<{ id: number }>('mentorship', 'SELECT id FROM bookings')).map(
      ({ id }) => id,
    );
    expect(before.bookings.filter((id) => !bookings.includes(id))).toEqual([]);
    const notified = await rows<{ id: number; times: number }>(
      'notifications',
      `SELECT (data->>'session_id')::int AS id, count(*)::int AS times FROM notifications
       WHERE type = 'payment_received' GROUP BY 1 ORDER BY 1`,
    );
    expect(notified).toEqual(paid.map(({ id }) => ({ id, times: 1 })));
    // Some of them now: their events had been published and not handled, and ids have gone on a million higher.
    const [{ late } = { late: 0 }] = await rows<{ late: number }>(
      'notifications',
      `SELECT count(*)::int AS late FROM notifications WHERE id > 1000000 AND type = 'payment_received'`,
    );
    expect(late).toBeGreaterThan(0);
    expect(late).toBeLessThan(paid.length);
    expect(await rows('notifications', 'SELECT id FROM dead_letters')).toEqual([]);
  });

  it('has everybody signed in who was, and takes the passwords of before', async () => {
    const returned = new Actor(baseUrl, 'veteran');
    returned.accessToken = veteran.accessToken;
    const me = await returned.get<{ id: number }>('/api/v1/users/me');
    expect(me.id).toBe(veteran.userId);
    const refreshed = await returned.post<{ access_token: string }>('/api/v1/auth/refresh', {
      refresh_token: veteran.refreshToken,
    });
    expect(refreshed.access_token).toMatch(/^ey/);
    for (const { id, email, password } of [
      ...before.accounts.slice(0, 3),
      ...before.accounts.slice(-3),
    ]) {
      const actor = await Actor.signedIn(baseUrl, email, { email, password });
      expect(actor.userId).toBe(id);
    }
  });

  it('gives no id to somebody new that was given before', async () => {
    const newcomer = new Actor(baseUrl, 'newcomer');
    const { id } = await newcomer.post<{ id: number }>('/api/v1/auth/register', {
      email: 'after.the.restore@load.example',
      password: 'a long password of a newcomer',
      full_name: 'After Restore',
      role: 'student',
    });
    expect(id).toBeGreaterThan(Math.max(...after.accounts.map((account) => account.id)));
  });

  it('tells a device that comes back that its place in the chat log is of another time', async () => {
    const returned = await Actor.signedIn(baseUrl, 'veteran', credentials);
    const socket: ActorSocket = await returned.openSocket();
    socket.send({ type: 'resume', ...position });
    const resumed = await socket.frame('resumed');
    expect(resumed).toMatchObject({ recovered: false });
    socket.send({
      type: 'message',
      recipient_id: load.mentor.userId,
      content: 'Back again',
      client_id: 'back',
    });
    await socket.frame('ack', { client_id: 'back' });
    socket.close();
  });

  it('replaces data by those of a backup without encryption, and goes on after it was killed', async () => {
    const plain = await backup('--keep', '1');
    expect(plain).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('not encrypted, as no --recipient is given'),
    });
    const file = plain.stdout.trim();
    expect(files()).toEqual([file.split('/').at(-1)]);
    const visitor = await Actor.signedIn(baseUrl, 'veteran', credentials);
    await visitor.post('/api/v1/messages', {
      recipient_id: load.mentor.userId,
      text: 'Too late',
    });

    const killed = spawn(join(workspaceRoot, 'deploy/restore'), ['--yes', file], {
      cwd: workspaceRoot,
      env: project.environment(settings),
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const ended = new Promise((resolve) => killed.once('exit', resolve));
    let said = '';
    killed.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(
      'the restore to replace data',
      () => (said.includes('replacing the data') ? true : undefined),
      60_000,
    );
    await delay(1000);
    process.kill(-(killed.pid ?? 0), 'SIGKILL');
    await ended;

    const { code, stderr } = await restore('--yes', file);
    expect(stderr).toContain('restore: done');
    expect(code).toBe(0);
    await connect();
    const messages = await rows<{ text: string }>(
      'chat',
      `SELECT text FROM messages WHERE text IN ('Long ago', 'Back again', 'Too late') ORDER BY id`,
    );
    expect(messages.map(({ text }) => text)).toEqual(['Long ago', 'Back again']);
    await Actor.signedIn(baseUrl, 'veteran', credentials);
  }, 600_000);
});

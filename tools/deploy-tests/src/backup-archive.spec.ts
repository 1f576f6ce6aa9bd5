import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { attempt, type Result, run } from './command.js';
import { StandInEngine } from './stand-in-engine.js';

const deploy = join(workspaceRoot, 'deploy');

const manifest = [
  'version=0.1.0',
  'taken_at=2026-11-21T21:59:00Z',
  'finished_at=2026-11-21T22:00:00Z',
  'postgres=18.1',
  'postgres_major=18',
  'architecture=x86_64',
  'system_identifier=7300000000000000001',
  'databases=chat,identity',
  'data_bytes=40000000',
  'encryption=none',
];

/** Makes an archive with the functions of deploy/backup, of parts that are small. */
const makeArchive = `
  set -euo pipefail
  . "$1/compose/archive.bash"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/secrets"
  echo key > "$work/secrets/secret-key"
  archive_begin "$2"
  tar --create --directory "$work" secrets | gzip | archive_part "$2" secrets.tar.gz
  head -c 50000 /dev/urandom | gzip | archive_part "$2" postgres.tar.gz
  archive_end "$2" <<< "$3"
`;

// GNU tar and stat, flock and the engine itself: both are for servers with Linux. They start hundreds of processes, which on a
// busy machine takes longer than the time for a test.
const onLinux = { skip: process.platform !== 'linux', timeout: 60_000 };

describe('deploy/restore, given an archive', onLinux, () => {
  let folder: string;
  let archive: string;
  let content: Buffer;
  let calls: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mentorhub-archive-'));
    archive = join(folder, 'mentorhub.tar');
    calls = join(folder, 'calls');
    mkdirSync(join(folder, 'bin'));
    // Whoever calls the engine would change something.
    writeFileSync(join(folder, 'bin', 'docker'), `#!/bin/sh\necho "$@" >> '${calls}'\nexit 1\n`);
    chmodSync(join(folder, 'bin', 'docker'), 0o755);
    await run('bash', ['-c', makeArchive, 'make', deploy, archive, manifest.join('\n')]);
    content = readFileSync(archive);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function restore(...parameters: string[]): Promise<Result> {
    return attempt(join(deploy, 'restore'), parameters, {
      environment: {
        PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
        MENTORHUB_SECRETS: join(folder, 'secrets'),
      },
    });
  }

  async function expectRefused(bytes: Buffer, why: RegExp): Promise<void> {
    const file = join(folder, 'other.tar');
    writeFileSync(file, bytes);
    const { code, stderr } = await restore('--yes', file);
    expect(stderr).toMatch(why);
    expect(code).toBe(1);
    expect(existsSync(calls)).toBe(false);
    expect(existsSync(join(folder, 'secrets'))).toBe(false);
  }

  function flipped(at: number): Buffer {
    const bytes = Buffer.from(content);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x04, at);
    return bytes;
  }

  it('finds a whole archive whole, without an engine', async () => {
    const { code, stderr } = await restore('--check', archive);
    expect(stderr).toContain(
      'is whole: MentorHub 0.1.0, PostgreSQL 18.1, data as of 2026-11-21T22:00:00Z.',
    );
    expect(code).toBe(0);
  });

  it('leaves archives that tar can list and unpack', async () => {
    expect((await run('tar', ['--list', '--file', archive])).trim().split('\n')).toEqual([
      'mentorhub-backup',
      'secrets.tar.gz',
      'postgres.tar.gz',
      'manifest',
    ]);
    const unpack = 'tar -xOf "$1" secrets.tar.gz | gzip -d | tar -xO secrets/secret-key';
    expect(await run('sh', ['-c', unpack, 'unpack', archive])).toBe('key\n');
  });

  it.each([0, 0.01, 0.03, 0.5, 0.97, 0.99])(
    'refuses an archive that is cut off at %d of its length',
    (share) =>
      expectRefused(
        content.subarray(0, Math.floor(content.length * share)),
        /is no backup of MentorHub|does not say which format|is cut off or damaged/,
      ),
  );

  it('refuses an archive that lacks its last block, or has more behind it', async () => {
    await expectRefused(
      content.subarray(0, -512),
      /cut off or damaged: it has \d+ bytes instead of/,
    );
    await expectRefused(
      Buffer.concat([content, Buffer.alloc(512)]),
      /cut off or damaged: it has \d+ bytes instead of/,
    );
  });

  it('refuses an archive with a changed bit, wherever that is', async () => {
    // Each kind of place: names and sizes, parts, the blanks between them, the manifest, the end.
    const sum = content.indexOf('sha256=');
    const places = [0, 520, 1000, 1024, 1150, 1700, 2000, 20_000, 40_000, sum - 700];
    for (const at of [...places, sum - 20, sum + 20, content.length - 1]) {
      await expectRefused(flipped(at), /damaged|is no backup of MentorHub/);
    }
  });

  it('refuses what is no archive', async () => {
    await expectRefused(Buffer.from('hello'), /is no backup of MentorHub/);
    const other = join(folder, 'foreign.tar');
    await run('tar', ['--create', '--file', other, '--directory', folder, 'bin']);
    await expectRefused(readFileSync(other), /is no backup of MentorHub/);
    const { code, stderr } = await restore('--yes', join(folder, 'missing.tar'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('there is no file')]);
  });

  it('refuses the format of a newer version and says so', async () => {
    const newer = Buffer.from(content);
    newer.write('2', 512);
    await expectRefused(newer, /has the format 2 of a newer MentorHub/);
  });

  it('refuses an encrypted archive without a key', async () => {
    const encrypted = join(folder, 'encrypted.tar');
    const script = makeArchive.replaceAll('.tar.gz\n', '.tar.gz.age\n');
    const lines = manifest.join('\n').replace('encryption=none', 'encryption=age');
    await run('bash', ['-c', script, 'make', deploy, encrypted, lines]);
    await expectRefused(readFileSync(encrypted), /is encrypted: name the file of its age key/);
  });

  it('refuses a manifest with what no backup writes, and carries nothing of it out', async () => {
    const trap = join(folder, 'trap');
    const sprung = join(folder, 'sprung');
    const number = `x PATH[$(touch\${IFS}'${sprung}')] 0`;
    const lines = manifest.join('\n');
    for (const foreign of [
      lines.replace('data_bytes=40000000', `data_bytes=PATH[$(touch '${sprung}')]`),
      lines.replace('data_bytes=40000000', 'data_bytes=040000000'),
      lines.replace('finished_at=2026-11-21T22:00:00Z', "finished_at='; DROP TABLE users; --"),
      lines.replace('databases=chat,identity', "databases=chat dbname='identity'"),
      lines.replace('postgres_major=18', 'postgres_major=$(id)'),
      `${lines}\npart=${number}`,
      `${lines}\nversion=0.2.0`,
      lines.replace('version=0.1.0\n', ''),
    ]) {
      await run('bash', ['-c', makeArchive, 'make', deploy, trap, foreign]);
      await expectRefused(readFileSync(trap), /its manifest has lines that no backup writes/);
      expect((await restore('--check', trap)).code).toBe(1);
      expect(existsSync(sprung)).toBe(false);
    }
  });

  it('refuses secrets that lead elsewhere', async () => {
    const links = join(folder, 'links.tar');
    for (const [link, why] of [
      ['ln -s /etc/passwd "$work/secrets/sendgrid-api-key"', /has secrets that are no files/],
      ['ln "$work/secrets/secret-key" "$work/secrets/other"', /has secrets that are no files/],
      ['mkfifo "$work/secrets/nats.env"', /has secrets that are no files/],
    ] as const) {
      const script = makeArchive.replace('archive_begin', `${link}\narchive_begin`);
      await run('bash', ['-c', script, 'make', deploy, links, manifest.join('\n')]);
      await expectRefused(readFileSync(links), why);
    }
    const outside = makeArchive.replace(
      '--directory "$work" secrets',
      '--directory / etc/hostname',
    );
    await run('bash', ['-c', outside, 'make', deploy, links, manifest.join('\n')]);
    await expectRefused(readFileSync(links), /has secrets in unexpected places/);
  });

  it('refuses to run beside another backup or restore', async () => {
    mkdirSync(join(folder, 'busy'), { recursive: true });
    const lock = join(folder, 'busy', '.mentorhub-lock');
    const script = 'exec 8> "$1"; flock 8; shift; exec "$@"';
    const { code, stderr } = await attempt(
      'bash',
      ['-c', script, 'busy', lock, join(deploy, 'restore'), '--yes', archive],
      {
        environment: {
          PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
          MENTORHUB_SECRETS: join(folder, 'busy', 'secrets'),
        },
      },
    );
    expect(stderr).toContain('another backup or restore of this system is running');
    expect(code).toBe(1);
  });

  it('explains itself when it is used wrongly', async () => {
    for (const parameters of [
      [],
      ['--nonsense'],
      [archive, archive],
      ['--republish-hours', '999', archive],
    ]) {
      const { code, stderr } = await restore(...parameters);
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining('deploy/restore [OPTION]... FILE'),
      ]);
    }
  });
});

describe('deploy/backup, given settings', onLinux, () => {
  it('explains itself when it is used wrongly, and backs up nothing without the secrets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mentorhub-backup-'));
    try {
      const environment = {
        PATH: `${folder}:${process.env['PATH']}`,
        MENTORHUB_SECRETS: join(folder, 'secrets'),
      };
      const backup = (...parameters: string[]): Promise<Result> =>
        attempt(join(deploy, 'backup'), parameters, { environment });
      for (const parameters of [[], ['--keep', '0', folder], ['--keep'], [folder, folder]]) {
        const { code, stderr } = await backup(...parameters);
        expect([code, stderr]).toEqual([
          2,
          expect.stringContaining('deploy/backup [OPTION]... FOLDER'),
        ]);
      }
      copyFileSync('/bin/sh', join(folder, 'docker'));
      const { code, stderr } = await backup(folder);
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining('without which a backup is worthless'),
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('deploy/backup and deploy/restore, with an engine', onLinux, () => {
  let engine: StandInEngine;

  beforeEach(async () => {
    engine = new StandInEngine();
    engine.putData('the time before');
    await engine.makeSecrets();
  });

  afterEach(() => engine.remove());

  const backups = (): string => join(engine.folder, 'backups');
  const secret = (name: string): string => join(engine.secrets, name);
  const dataOf = (): string => readFileSync(join(engine.data, 'of'), 'utf8').trim();

  async function backup(...parameters: string[]): Promise<string> {
    const { code, stdout, stderr } = await engine.attempt('deploy/backup', [
      ...parameters,
      backups(),
    ]);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('is there and whole, but')]);
    return stdout.trim();
  }

  const names = (): string[] => readdirSync(backups()).filter((name) => !name.startsWith('.'));

  it('restores what was backed up, and keeps what was there beside it until the system is up', async () => {
    const file = await backup();
    const key = readFileSync(secret('secret-key'), 'utf8');
    rmSync(engine.secrets, { recursive: true });
    await engine.makeSecrets();
    const { code, stderr } = await engine.attempt('deploy/restore', ['--yes', file]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('restore: done')]);
    expect(dataOf()).toBe('the backup');
    expect(readFileSync(secret('secret-key'), 'utf8')).toBe(key);
    expect(engine.sql).toContain('SET mentorhub.republish_hours = 24;');
    expect(readdirSync(join(engine.folder, 'volume'))).toEqual(['18']);
  });

  it('takes every secret along, links as what they lead to, and no drafts', async () => {
    const elsewhere = join(engine.folder, 'elsewhere');
    writeFileSync(elsewhere, 'a certificate');
    symlinkSync(elsewhere, secret('tls-certificate'));
    linkSync(secret('secret-key'), secret('secret-key.2026-11'));
    for (const name of ['tls-key.1.pem', '.htpasswd', '.admin-password.123']) {
      writeFileSync(secret(name), name);
    }
    mkdirSync(secret('more'));
    writeFileSync(join(secret('more'), '.hidden.1'), 'hidden');
    const expected = new Map(
      readdirSync(engine.secrets, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory() && entry.name !== '.admin-password.123')
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((path) => [path, readFileSync(path, 'utf8')]),
    );
    const file = await backup();
    rmSync(engine.secrets, { recursive: true });
    rmSync(elsewhere);
    expect(await engine.attempt('deploy/restore', ['--yes', file])).toMatchObject({ code: 0 });
    for (const [path, content] of expected) expect(readFileSync(path, 'utf8')).toBe(content);
    expect(existsSync(secret('.admin-password.123'))).toBe(false);
  });

  it('leaves the backups of other projects in the same folder alone', async () => {
    mkdirSync(backups());
    const others = ['drill-20200101T000000Z.tar', 'mentorhub-drill-20200101T000000Z.tar'];
    const foreign = [...others, 'drill-20200101T000000Z.tar.part', 'mentorhub-notes.tar'];
    for (const name of foreign) writeFileSync(join(backups(), name), '');
    for (const name of ['mentorhub-20200101T000000Z.tar', 'mentorhub-20200102T000000Z.tar.part']) {
      writeFileSync(join(backups(), name), '');
    }
    const file = await backup('--keep', '1');
    expect(names().toSorted()).toEqual([...foreign, basename(file)].toSorted());
    expect(basename(file)).toMatch(/^mentorhub-\d{8}T\d{6}Z\.tar$/);
    const drill = await engine.attempt('deploy/backup', [backups()], {
      COMPOSE_PROJECT_NAME: 'drill',
    });
    expect(drill.stdout).toMatch(/\/drill-\d{8}T\d{6}Z\.tar\n$/);
  });

  it('refuses to write to a folder that another backup of the project writes to', async () => {
    mkdirSync(backups());
    const script = 'exec 7> "$1/.mentorhub-lock"; flock 7; shift; exec "$@"';
    const { code, stderr } = await attempt(
      'bash',
      ['-c', script, 'busy', backups(), join(deploy, 'backup'), backups()],
      { environment: engine.environment() },
    );
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('another backup of mentorhub is writing to'),
    ]);
    expect(names()).toEqual([]);
  });

  it('has an exit code of its own for a whole backup with something else undone', async () => {
    mkdirSync(join(engine.folder, 'metrics'));
    const old = join(backups(), 'mentorhub-20200101T000000Z.tar');
    mkdirSync(backups());
    writeFileSync(old, '');
    engine.addTool('chmod', 'exit 1');
    engine.addTool('rm', 'case $* in *2020*) exit 1 ;; *) exec /bin/rm "$@" ;; esac');
    const parameters = ['--keep', '1', '--metrics', join(engine.folder, 'metrics'), backups()];
    const { code, stdout, stderr } = await engine.attempt('deploy/backup', parameters);
    expect(code).toBe(3);
    expect(stderr).toContain('is there and whole, but older backups could not be removed');
    expect(stderr).toContain('is there and whole, but the metrics could not be written');
    expect(readdirSync(join(engine.folder, 'metrics'))).toEqual([]);
    engine.removeTool('chmod');
    engine.removeTool('rm');
    expect(await engine.attempt('deploy/restore', ['--check', stdout.trim()])).toMatchObject({
      code: 0,
    });
    expect(await backup('--keep', '1', '--metrics', join(engine.folder, 'metrics'))).not.toBe('');
    expect(existsSync(old)).toBe(false);
    expect(readdirSync(join(engine.folder, 'metrics'))).toEqual(['mentorhub_backup.prom']);
  });

  it('takes what an interrupted restore left on the volume for free, as the next one removes it', async () => {
    const file = await backup();
    const volume = join(engine.folder, 'volume');
    for (const left of ['.replaced', '.restoring']) {
      mkdirSync(join(volume, left, 'data'), { recursive: true });
      writeFileSync(join(volume, left, 'data', 'rest'), Buffer.alloc(64 << 20, 1));
    }
    const wanted = 1000 * 1.25 + (256 << 20);
    engine.freeBytes = wanted - (130 << 20);
    const refused = await engine.attempt('deploy/restore', ['--yes', file]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('bytes free')]);
    expect(dataOf()).toBe('the time before');
    expect(existsSync(join(volume, '.replaced/data/rest'))).toBe(true);
    engine.freeBytes = wanted - (120 << 20);
    const { code, stderr } = await engine.attempt('deploy/restore', ['--yes', file]);
    expect([code, stderr]).toEqual([0, expect.stringContaining('restore: done')]);
    expect(dataOf()).toBe('the backup');
    expect(readdirSync(volume)).toEqual(['18']);
  });

  it('finds data that an interrupted restore had put aside, and asks before it replaces them', async () => {
    const file = await backup();
    mkdirSync(join(engine.folder, 'volume/.restoring'));
    renameSync(engine.data, join(engine.folder, 'volume/.restoring/old'));
    const { code, stderr } = await engine.attempt('deploy/restore', [file]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('there are data, and nobody to ask'),
    ]);
    expect(dataOf()).toBe('the time before');
  });

  it.each([[[]], [['--keep-secrets']]])(
    'changes nothing when a tool for the secrets is missing (%j)',
    async (options) => {
      const file = await backup();
      // A version later than that of the backup has secrets more.
      rmSync(secret('nats-nkey-seed-chat'));
      const before = readdirSync(engine.secrets);
      engine.forgetCalls();
      engine.addTool('openssl', 'exit 127');
      const { code, stderr } = await engine.attempt('deploy/restore', ['--yes', ...options, file]);
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/the secrets could not be completed\.\n.*nothing was changed/),
      ]);
      expect(engine.calls).not.toMatch(/ down$/m);
      expect(dataOf()).toBe('the time before');
      expect(readdirSync(engine.secrets)).toEqual(before);
    },
  );

  it('completes the secrets that it keeps', async () => {
    const file = await backup();
    rmSync(secret('nats-nkey-seed-chat'));
    rmSync(secret('secret-key'));
    await engine.makeSecrets();
    const key = readFileSync(secret('secret-key'), 'utf8');
    rmSync(secret('admin-password'));
    const parameters = ['--yes', '--keep-secrets', file];
    expect(await engine.attempt('deploy/restore', parameters)).toMatchObject({ code: 0 });
    expect(readFileSync(secret('secret-key'), 'utf8')).toBe(key);
    expect(existsSync(secret('admin-password'))).toBe(true);
    expect(existsSync(`${engine.secrets}.restoring`)).toBe(false);
    expect(engine.sql).toContain('UPDATE signing_keys');
  });
});

describe('deploy/compose/secrets', onLinux, () => {
  it.each([
    ['/some/where', '/some/where'],
    ['./beside', join(workspaceRoot, 'beside')],
    ['', join(deploy, 'compose/.secrets')],
  ])('takes the folder %j of the environment as Compose does', async (setting, folder) => {
    expect(
      await run(join(deploy, 'compose/secrets'), ['--folder'], {
        environment: { PATH: process.env['PATH'], MENTORHUB_SECRETS: setting },
        cwd: tmpdir(),
      }),
    ).toBe(`${folder}\n`);
  });
});

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, type Result, run } from './command.js';

const deploy = join(workspaceRoot, 'deploy');

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
  printf 'version=0.1.0\\nfinished_at=2026-11-21T22:00:00Z\\npostgres=18.1\\nencryption=none\\n' | archive_end "$2"
`;

describe('deploy/restore', () => {
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
    await run('bash', ['-c', makeArchive, 'make', deploy, archive]);
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
    const manifest = content.indexOf('sha256=');
    const places = [0, 520, 1000, 1024, 1150, 1700, 2000, 20_000, 40_000, manifest - 700];
    for (const at of [...places, manifest - 20, manifest + 20, content.length - 1]) {
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
    const script = makeArchive
      .replace('encryption=none', 'encryption=age')
      .replaceAll('.tar.gz\n', '.tar.gz.age\n');
    await run('bash', ['-c', script, 'make', deploy, encrypted]);
    await expectRefused(readFileSync(encrypted), /is encrypted: name the file of its age key/);
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

describe('deploy/backup', () => {
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

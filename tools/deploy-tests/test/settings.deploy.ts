import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, run } from '../src/command.js';
import { findCompose } from '../src/compose.js';

describe('deploy/compose/secrets', () => {
  let folder: string;
  let script: string;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    // A copy, as .env belongs to who works here.
    folder = mkdtempSync(join(tmpdir(), 'mentorhub-settings-'));
    const compose = join(folder, 'deploy/compose');
    mkdirSync(compose, { recursive: true });
    script = join(compose, 'secrets');
    copyFileSync(join(workspaceRoot, 'deploy/compose/secrets'), script);
    copyFileSync(join(workspaceRoot, 'docker-compose.yml'), join(folder, 'docker-compose.yml'));
    mkdirSync(join(folder, 'bin'));
    const plugin = await findCompose();
    // Compose without an engine.
    writeFileSync(
      join(folder, 'bin/docker'),
      `#!/bin/sh\n[ "$1" = compose ] || exit 1\nshift\nexec '${plugin}' "$@"\n`,
      { mode: 0o755 },
    );
    environment = {
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      HOME: folder,
      MENTORHUB_VERSION: '0.1.0',
      MENTORHUB_DOMAIN: 'localhost',
      ADMIN_EMAIL: 'admin@demo.mentorhub.example',
      MAIL_FROM: 'no-reply@mentorhub.example',
      SANDBOX_PAYMENTS_IN_PRODUCTION: 'yes',
    };
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['MENTORHUB_SECRETS=secrets-a', 'secrets-a'],
    ['MENTORHUB_SECRETS="./secrets-b" # not in the repository', 'secrets-b'],
    ["MENTORHUB_SECRETS='secrets-c'", 'secrets-c'],
    ['MENTORHUB_SECRETS = secrets-d # of our own', 'secrets-d'],
    ['export MENTORHUB_SECRETS=secrets-e', 'secrets-e'],
    ['PLACE=secrets\nMENTORHUB_SECRETS=./${PLACE}-f', 'secrets-f'],
    ['# MENTORHUB_SECRETS=secrets-g', 'deploy/compose/.secrets'],
  ])('makes secrets where Compose looks for them, with %j in .env', async (setting, expected) => {
    writeFileSync(join(folder, '.env'), `${setting}\n`);
    await run(script, [], { environment, cwd: tmpdir() });
    const configuration = await run('docker', ['compose', 'config', '--format', 'json'], {
      environment,
      cwd: folder,
    });
    const { secrets } = JSON.parse(configuration) as { secrets: Record<string, { file: string }> };
    expect(secrets['secret-key']?.file).toBe(join(folder, expected, 'secret-key'));
    await run('test', ['-s', join(folder, expected, 'secret-key')]);
    expect(await run(script, ['--folder'], { environment, cwd: tmpdir() })).toBe(
      `${join(folder, expected)}\n`,
    );
  });

  it('makes nothing where .env cannot be read, and says what to do', async () => {
    writeFileSync(join(folder, '.env'), 'MENTORHUB_SECRETS="secrets-h\n');
    const { code, stderr } = await attempt(script, [], { environment });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('or set MENTORHUB_SECRETS in the environment'),
    ]);
  });
});

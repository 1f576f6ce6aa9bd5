import {
  appendFileSync,
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
import { attempt, type Result, run } from './command.js';

const executable = { mode: 0o755 };

/** A machine with a program in the place of `docker`, to try deploy/backup and deploy/restore without an engine. */
export class StandInEngine {
  readonly folder = mkdtempSync(join(tmpdir(), 'mentorhub-stand-in-'));
  readonly secrets = join(this.folder, 'secrets');
  /** Of PostgreSQL, in its volume. */
  readonly data = join(this.folder, 'volume/18/docker');
  private readonly bin = join(this.folder, 'bin');

  constructor() {
    for (const name of ['bin', 'base', 'volume', 'container-bin']) {
      mkdirSync(join(this.folder, name));
    }
    copyFileSync(
      join(workspaceRoot, 'tools/deploy-tests/src/stand-in-engine.sh'),
      join(this.bin, 'docker'),
    );
    // The parts of PostgreSQL that restore-data.sh calls, on data that are any folder.
    const inside = (name: string, script: string): void =>
      writeFileSync(join(this.folder, 'container-bin', name), `#!/bin/sh\n${script}\n`, executable);
    inside('postgres', 'echo "postgres (PostgreSQL) 18.1"');
    inside('pg_verifybackup', 'exit 0');
    inside('pg_ctl', 'exit 0');
    inside('psql', `while [ "$1" != --file ]; do shift; done; cat "$2" >> "$STAND_IN/sql"`);
    inside(
      'stat',
      `case $* in *--file-system*) echo "$(cat "$STAND_IN/free-blocks") * 4096" ;; *) exec /usr/bin/stat "$@" ;; esac`,
    );
    writeFileSync(join(this.folder, 'free-blocks'), '1000000000');
    writeFileSync(join(this.folder, 'base/PG_VERSION'), '18\n');
    writeFileSync(join(this.folder, 'base/of'), 'the backup\n');
  }

  set freeBytes(bytes: number) {
    writeFileSync(join(this.folder, 'free-blocks'), String(Math.floor(bytes / 4096)));
  }

  /** Of the engine's command line, since `forgetCalls`. */
  get calls(): string {
    const file = join(this.folder, 'calls');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  forgetCalls(): void {
    rmSync(join(this.folder, 'calls'), { force: true });
  }

  /** What psql was given. */
  get sql(): string {
    const file = join(this.folder, 'sql');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** A tool that comes before the one of the machine. */
  addTool(name: string, script: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${script}\n`, executable);
  }

  removeTool(name: string): void {
    rmSync(join(this.bin, name));
  }

  /** Data in use that are told from those of backups by the file `of`. */
  putData(of: string): void {
    mkdirSync(this.data, { recursive: true });
    writeFileSync(join(this.data, 'PG_VERSION'), '18\n');
    writeFileSync(join(this.data, 'of'), of);
  }

  makeSecrets(): Promise<string> {
    return run(join(workspaceRoot, 'deploy/compose/secrets'), [this.secrets]);
  }

  environment(settings: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return {
      PATH: `${this.bin}:${process.env['PATH']}`,
      HOME: this.folder,
      STAND_IN: this.folder,
      MENTORHUB_SECRETS: this.secrets,
      ...settings,
    };
  }

  attempt(
    command: 'deploy/backup' | 'deploy/restore',
    parameters: readonly string[],
    settings?: NodeJS.ProcessEnv,
  ): Promise<Result> {
    appendFileSync(join(this.folder, 'calls'), '');
    return attempt(join(workspaceRoot, command), parameters, {
      environment: this.environment(settings),
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

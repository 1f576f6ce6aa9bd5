import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** The processes these tests start run built code, as in production: builds what is not current. */
export default async function build(): Promise<void> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  await promisify(execFile)(process.execPath, [
    join(typescript, 'bin/tsc'),
    '-b',
    join(import.meta.dirname, 'fixtures/tsconfig.json'),
  ]);
}

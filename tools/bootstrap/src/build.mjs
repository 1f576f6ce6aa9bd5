import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ownNode, runQuietly, tool } from './run-tool.mjs';
import { explain, Problem, progress, root } from './terminal.mjs';

const stamp = join(root, 'node_modules', '.cache', 'mentorhub', 'build');

/** The folders of the projects in tsconfig.json. */
function projects() {
  const { references } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  return references.map((/** @type {{ path: string }} */ { path }) => join(root, dirname(path)));
}

/**
 * Something that changes with every source file; much cheaper than asking the compiler.
 *
 * @param {string[]} folders
 */
function fingerprint(folders) {
  const hash = createHash('sha256').update(readFileSync(join(root, 'tsconfig.base.json')));
  const add = (/** @type {string} */ file) => {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mtimeMs} ${size}\n`);
  };
  const walk = (/** @type {string} */ folder) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else add(path);
    }
  };
  for (const folder of folders) {
    for (const name of ['package.json', 'tsconfig.json', 'tsconfig.build.json']) {
      if (existsSync(join(folder, name))) add(join(folder, name));
    }
    if (existsSync(join(folder, 'src'))) walk(join(folder, 'src'));
  }
  return hash.digest('hex');
}

/**
 * Compiles what changed since the last build.
 *
 * @throws {Problem} with the compiler's messages.
 */
export async function ensureBuilt() {
  const folders = projects();
  const current = fingerprint(folders);
  const complete = folders.every((/** @type {string} */ folder) =>
    existsSync(join(folder, 'dist', '.tsbuildinfo')),
  );
  if (complete && existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return;
  const end = progress('Building');
  const log = join(root, '.data', 'logs', 'build.log');
  const { code, output } = await runQuietly(ownNode, [tool('typescript/bin/tsc'), '-b'], { log });
  if (code !== 0) {
    end('failed');
    throw new Problem(explain(output) ?? output.trim().split('\n').slice(0, 40).join('\n'));
  }
  end('done');
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, current);
}

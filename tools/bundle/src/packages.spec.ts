import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyExternals } from './externals.js';
import { packageNameOf, placeOf } from './packages.js';

describe('packages', () => {
  it('are recognised in what is imported', () => {
    expect(packageNameOf('pg')).toBe('pg');
    expect(packageNameOf('pg/lib/client.js')).toBe('pg');
    expect(packageNameOf('@node-rs/argon2')).toBe('@node-rs/argon2');
    expect(packageNameOf('@scope/name/file.js')).toBe('@scope/name');
  });

  it('keep their place below others', () => {
    expect(placeOf('/repository/node_modules/pg')).toBe('pg');
    expect(placeOf('/repository/apps/chat/node_modules/a/node_modules/@s/b')).toBe(
      'a/node_modules/@s/b',
    );
  });
});

describe('copying packages', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mentorhub-packages-'));
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const write = (path: string, content: unknown): void => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  };
  const manifest = (path: string, fields: object = {}): void => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    write(`${path}/package.json`, { name, version: '1.0.0', ...fields });
  };
  const copy = (code: string[]): string[] => {
    const to = join(root, 'out');
    copyExternals({ code, assets: [], from: join(root, 'apps/one'), to });
    return readdirSync(to, { recursive: true, encoding: 'utf8' }).toSorted();
  };

  it('takes along what they need to run and leaves what they are developed with', () => {
    manifest('node_modules/a', {
      dependencies: { b: '1' },
      devDependencies: { d: '1' },
      optionalDependencies: { native: '1', absent: '1' },
      peerDependencies: { p: '1', q: '1' },
      peerDependenciesMeta: { q: { optional: true } },
    });
    for (const name of ['b', 'd', 'native', 'p', 'q']) manifest(`node_modules/${name}`);
    expect(copy(['a']).filter((file) => !file.includes('/'))).toEqual(['a', 'b', 'native', 'p']);
  });

  it('leaves types, source maps and tests, and keeps licences and code in folders of any name', () => {
    manifest('node_modules/a');
    for (const file of ['index.js', 'index.d.ts', 'index.js.map', 'README.md', 'LICENSE.md']) {
      write(`node_modules/a/${file}`, '');
    }
    write('node_modules/a/test/a.js', '');
    write('node_modules/a/lib/test/b.js', '');
    expect(copy(['a']).filter((file) => /\.\w+$/.test(file))).toEqual([
      'a/LICENSE.md',
      'a/index.js',
      'a/lib/test/b.js',
      'a/package.json',
    ]);
  });

  it('keeps two versions of a package apart', () => {
    manifest('node_modules/a', { dependencies: { b: '2' } });
    manifest('node_modules/a/node_modules/b', { version: '2.0.0' });
    manifest('node_modules/b');
    expect(copy(['a', 'b']).filter((file) => file.endsWith('package.json'))).toEqual([
      'a/node_modules/b/package.json',
      'a/package.json',
      'b/package.json',
    ]);
  });

  it('refuses two versions in one place', () => {
    manifest('node_modules/b', { dependencies: { a: '1' } });
    manifest('node_modules/a');
    manifest('apps/one/node_modules/a', { version: '2.0.0' });
    expect(() => copy(['a', 'b'])).toThrow(/would both become a: use one version of it\.$/);
  });

  it('names what is not installed', () => {
    manifest('node_modules/a', { dependencies: { gone: '1' } });
    expect(() => copy(['a'])).toThrow(/^gone is needed by .*node_modules\/a and is not installed/);
  });
});

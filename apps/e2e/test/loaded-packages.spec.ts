import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { appNames } from '@mentorhub/local-system';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');

/** Imports an app as its `main.ts` does, in a process of its own, and prints the packages that were loaded. */
const listPackages = `
  import { registerHooks } from 'node:module';
  const packages = new Set();
  registerHooks({
    load(url, context, next) {
      const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
      if (name) packages.add(name);
      return next(url, context);
    },
  });
  const [, kit, app] = process.argv;
  await import(kit);
  await import(app);
  process.stdout.write(JSON.stringify([...packages]));
`;

async function packagesOf(app: string): Promise<string[]> {
  const kind = app.endsWith('-gateway') ? 'gateway/gateway-app.js' : 'start/service-app.js';
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    listPackages,
    join(root, 'libs/service-kit/dist', kind),
    join(root, 'apps', app, 'dist/app.module.js'),
  ]);
  return JSON.parse(stdout) as string[];
}

describe('memory is spent on what an app uses', () => {
  it.each(appNames)('%s loads a database driver only if it has a database', async (app) => {
    const packages = await packagesOf(app);
    const drivers = packages.filter((name) => ['pg', 'typeorm', '@nestjs/typeorm'].includes(name));
    expect(drivers.toSorted()).toEqual(
      app.endsWith('-gateway') ? [] : ['@nestjs/typeorm', 'pg', 'typeorm'],
    );
  });

  it.each(appNames)('%s loads the validators only if it faces clients', async (app) => {
    const packages = await packagesOf(app);
    expect(packages.includes('class-validator')).toBe(app === 'api-gateway');
  });

  it('api-gateway draws no avatar before it is asked for one', async () => {
    const packages = await packagesOf('api-gateway');
    expect(packages.filter((name) => name.startsWith('@dicebear/'))).toEqual([]);
  });
});

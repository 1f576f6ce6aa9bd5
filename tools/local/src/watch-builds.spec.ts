import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppName, appNames } from '@mentorhub/local-system';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { watchBuilds } from './watch-builds.js';

describe('watching the builds', () => {
  let root: string;
  let changes: AppName[][];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'mentorhub-watch-'));
    const project = async (folder: string, dependencies: string[]): Promise<void> => {
      await mkdir(join(root, folder, 'dist'), { recursive: true });
      await writeFile(
        join(root, folder, 'package.json'),
        JSON.stringify({
          name: `@mentorhub/${folder.split('/')[1]}`,
          dependencies: Object.fromEntries(dependencies.map((name) => [`@mentorhub/${name}`, '*'])),
        }),
      );
    };
    await project('libs/contracts', []);
    await project('libs/persistence', ['contracts']);
    for (const app of appNames) {
      await project(`apps/${app}`, app === 'chat' ? ['persistence'] : []);
    }
    changes = [];
    const end = watchBuilds(root, (apps) => changes.push(apps));
    return async () => {
      end();
      await rm(root, { recursive: true, force: true });
    };
  });

  it('names an app whose own code changed, once for all its files', async () => {
    await writeFile(join(root, 'apps/identity/dist/main.js'), '');
    await writeFile(join(root, 'apps/identity/dist/config.js'), '');
    await vi.waitFor(() => expect(changes).toEqual([['identity']]), 3_000);
  });

  it('names the apps that use a changed library, also by way of another', async () => {
    await writeFile(join(root, 'libs/contracts/dist/index.js'), '');
    await vi.waitFor(() => expect(changes).toEqual([['chat']]), 3_000);
  });
});

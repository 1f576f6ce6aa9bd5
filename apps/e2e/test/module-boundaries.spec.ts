import { execFile } from 'node:child_process';
import { cp, glob, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { appNames } from '@mentorhub/local-system';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');

/** A copy of the workspace's manifests and lint rules, in which a violation can be planted without touching the tree. */
async function copyOfWorkspace(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mentorhub-boundaries-'));
  const files = [
    'package.json',
    'package-lock.json',
    'nx.json',
    'tsconfig.base.json',
    '.oxlintrc.json',
  ];
  for await (const file of glob('{apps,libs,tools}/*/{package,tsconfig}.json', { cwd: root }))
    files.push(file);
  for (const file of files) {
    await mkdir(dirname(join(copy, file)), { recursive: true });
    await cp(join(root, file), join(copy, file));
  }
  await mkdir(join(copy, 'node_modules', '@mentorhub'), { recursive: true });
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name === '@mentorhub') continue;
    await symlink(join(root, 'node_modules', name), join(copy, 'node_modules', name));
  }
  // The packages of the workspace have to be those of the copy.
  for await (const folder of glob('{apps,libs,tools}/*', { cwd: copy })) {
    await symlink(join(copy, folder), join(copy, 'node_modules', '@mentorhub', basename(folder)));
  }
  return copy;
}

describe('module boundaries', () => {
  let workspace: string;
  const environment = { ...process.env, NX_DAEMON: 'false', NX_CACHE_PROJECT_GRAPH: 'true' };

  beforeAll(async () => {
    workspace = await copyOfWorkspace();
    // The rule passes everything while there is no project graph.
    await run('npx', ['nx', 'show', 'projects'], { cwd: workspace, env: environment });
  }, 60_000);

  afterAll(() => rm(workspace, { recursive: true, force: true }));

  /** Lints one planted file and returns the messages of the rules for boundaries. */
  async function boundaryErrors(file: string, source: string): Promise<string[]> {
    await mkdir(dirname(join(workspace, file)), { recursive: true });
    await writeFile(join(workspace, file), source);
    const lint = run('npx', ['oxlint', '--format', 'json', file], {
      cwd: workspace,
      env: environment,
    });
    const { stdout } = await lint.catch((failure: { stdout: string }) => failure);
    const { diagnostics } = JSON.parse(stdout) as {
      diagnostics: { code: string; message: string }[];
    };
    return diagnostics
      .filter(({ code }) => /enforce-module-boundaries|no-restricted-imports/.test(code))
      .map(({ message }) => message);
  }

  it('refuse that one service imports another', async () => {
    await mkdir(join(workspace, 'apps/mentorship/src'), { recursive: true });
    await writeFile(join(workspace, 'apps/mentorship/src/planted.ts'), 'export const book = 1;\n');
    const source =
      "import { book } from '../../mentorship/src/planted.js';\n\nexport const again = book;\n";
    await expect(boundaryErrors('apps/identity/src/planted.ts', source)).resolves.toHaveLength(1);
  });

  it('refuse that a service uses what belongs to the gateways', async () => {
    const source =
      "import { AccessTokens } from '@mentorhub/access-token';\n\nexport const again = AccessTokens;\n";
    await expect(boundaryErrors('apps/chat/src/planted.ts', source)).resolves.toHaveLength(1);
  });

  it.each(['@nestjs/common', 'rxjs'])('refuse that the contracts use %s', async (name) => {
    const source = `import * as planted from '${name}';\n\nexport const again = planted;\n`;
    await expect(boundaryErrors('libs/contracts/src/planted.ts', source)).resolves.toHaveLength(1);
  });

  it.each(['apps/identity', 'libs/messaging'])(
    'refuse that what runs in production uses what belongs to tests: %s',
    async (project) => {
      const source =
        "import { testNats } from '@mentorhub/testing';\n\nexport const again = testNats;\n";
      await expect(boundaryErrors(`${project}/src/planted.ts`, source)).resolves.not.toEqual([]);
    },
  );

  it('let the tests of a service use what belongs to tests', async () => {
    const source =
      "import { testNats } from '@mentorhub/testing';\n\nexport const again = testNats;\n";
    await expect(boundaryErrors('apps/identity/test/allowed.ts', source)).resolves.toEqual([]);
    await expect(boundaryErrors('apps/identity/src/allowed.spec.ts', source)).resolves.toEqual([]);
  });

  it('let a service use the contracts', async () => {
    const source = "import { Users } from '@mentorhub/contracts';\n\nexport const again = Users;\n";
    await expect(boundaryErrors('apps/identity/src/allowed.ts', source)).resolves.toEqual([]);
  });

  it.each(['e2e', 'bench', 'docs'])('know that %s depends on every app', async (project) => {
    const { stdout } = await run(
      'npx',
      ['nx', 'show', 'project', `@mentorhub/${project}`, '--json'],
      {
        cwd: workspace,
        env: environment,
      },
    );
    const { implicitDependencies } = JSON.parse(stdout) as { implicitDependencies: string[] };
    expect(implicitDependencies.toSorted()).toEqual(
      appNames.map((app) => `@mentorhub/${app}`).toSorted(),
    );
  });
});

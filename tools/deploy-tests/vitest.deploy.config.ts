import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Files that run processes alone; the others need the container engine, which is started for those. */
const withoutEngine = ['test/{cluster,rolling,weight}.deploy.ts'];
const postgres = '../../libs/testing/src/global-setup.ts';

const shared = {
  // A first build installs all packages.
  hookTimeout: 1_200_000,
  testTimeout: 180_000,
  // Engine and processors are shared; times are measured.
  fileParallelism: false,
};
const ssr = { resolve: { conditions: ['@mentorhub/source'] } };

// npm run test:deploy
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: {
    fileParallelism: false,
    projects: [
      {
        ssr,
        test: { ...shared, name: 'processes', include: withoutEngine, globalSetup: [postgres] },
      },
      {
        ssr,
        test: {
          ...shared,
          name: 'containers',
          include: ['test/**/*.deploy.ts'],
          exclude: withoutEngine,
          globalSetup: [postgres, './src/setup.ts'],
        },
      },
    ],
  },
});

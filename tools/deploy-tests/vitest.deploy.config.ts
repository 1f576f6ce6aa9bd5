import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// npm run test:deploy: what needs a container engine.
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  ssr: { resolve: { conditions: ['@mentorhub/source'] } },
  test: {
    include: ['test/**/*.deploy.ts'],
    globalSetup: ['../../libs/testing/src/global-setup.ts', './src/setup.ts'],
    // Engine and processors are shared; times are measured.
    fileParallelism: false,
    // A first build installs all packages.
    hookTimeout: 1_200_000,
    testTimeout: 180_000,
  },
});

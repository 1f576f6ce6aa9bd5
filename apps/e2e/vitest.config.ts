import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@mentorhub/source'] } },
  // Whole systems start here; side by side on two cores they would wait for each other.
  test: {
    globalSetup: ['../../libs/testing/src/global-setup.ts'],
    testTimeout: 30_000,
    fileParallelism: false,
  },
});

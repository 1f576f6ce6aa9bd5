import { defineProject } from 'vitest/config';

export default defineProject({
  ssr: { resolve: { conditions: ['@mentorhub/source'] } },
  // Bundling is a native program on all cores; on two busy ones an app takes some seconds.
  test: { hookTimeout: 120_000, testTimeout: 60_000 },
});

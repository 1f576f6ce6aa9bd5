import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: ['apps/*', 'libs/*', 'tools/*'],
    // Vitest leaves one core free, which on two cores means one file after the other; the tests mostly wait for others.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});

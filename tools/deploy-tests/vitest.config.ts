import { defineProject } from 'vitest/config';

// What needs no container. vitest.deploy.config.ts has the rest.
export default defineProject({
  ssr: { resolve: { conditions: ['@mentorhub/source'] } },
});

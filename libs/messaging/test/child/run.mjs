import { runnerImport } from 'vite';

// Runs a TypeScript program of these tests in a process of its own, which can be killed for real.
await runnerImport(process.argv[2], {
  configFile: false,
  logLevel: 'error',
  ssr: { resolve: { conditions: ['@mentorhub/source'] } },
});

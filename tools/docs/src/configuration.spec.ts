import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { configurationDocument, configurationFile } from './configuration.js';

it('docs/configuration.md says what the apps read; else run npm run docs', async () => {
  expect(await readFile(configurationFile(), 'utf8')).toBe(await configurationDocument());
});

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEngine } from './engine.js';
import { baseImages, type Bases, Docker } from './images.js';

declare module 'vitest' {
  interface ProvidedContext {
    engine: { docker: string; host: string };
    bases: Bases;
  }
}

/** Starts the engine and makes the base images, once for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = process.env['DEPLOY_TEST_DIRECTORY'] ?? join(tmpdir(), 'mentorhub-deploy');
  const engine = await startEngine(directory);
  try {
    const { docker, host } = engine;
    project.provide('engine', { docker, host });
    project.provide('bases', await baseImages(new Docker(engine), join(directory, 'bases')));
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return () => engine.stop();
}

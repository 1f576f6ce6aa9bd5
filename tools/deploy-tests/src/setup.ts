import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startEngine } from './engine.js';
import { baseImages, type Bases, Docker } from './images.js';
import { serverImages, type ServerImages } from './servers.js';

declare module 'vitest' {
  interface ProvidedContext {
    engine: { docker: string; host: string };
    bases: Bases;
    servers: ServerImages;
  }
}

/** Starts the engine and makes the base images, once for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = process.env['DEPLOY_TEST_DIRECTORY'] ?? join(tmpdir(), 'mentorhub-deploy');
  const engine = await startEngine(directory);
  try {
    const { docker, host } = engine;
    project.provide('engine', { docker, host });
    const images = new Docker(engine);
    project.provide('bases', await baseImages(images, join(directory, 'bases')));
    project.provide('servers', await serverImages(images, join(directory, 'servers')));
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return () => engine.stop();
}

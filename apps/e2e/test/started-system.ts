import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSystem, type System, type SystemOptions } from '@mentorhub/local-system';
import type { Credentials } from '@mentorhub/testing';

/** The administrator of systems under test. */
export const admin: Credentials = {
  email: 'admin@system.example',
  password: 'the password of the operator',
};

/** The whole system on free ports, with data of its own that are deleted afterwards. Needs a build. */
export async function startedSystem(options: Partial<SystemOptions> = {}): Promise<{
  system: System;
  dataDirectory: string;
  stop: () => Promise<void>;
  log: readonly string[];
}> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'mentorhub-e2e-'));
  const log: string[] = [];
  const system = await startSystem({
    dataDirectory,
    persistent: false,
    onLog: (app, replica, line) => log.push(`${app}/${replica} ${line}`),
    ...options,
    environment: {
      ...process.env,
      ADMIN_EMAIL: admin.email,
      ADMIN_PASSWORD: admin.password,
      ...options.environment,
    },
  });
  return {
    system,
    dataDirectory,
    log,
    stop: async () => {
      await system.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { configurationDocument, configurationFile } from './configuration.js';
import { kubernetesFiles } from './kubernetes-files.js';
import { natsServerFiles } from './nats-server-files.js';

await writeFile(configurationFile(), await configurationDocument());
for (const [path, text] of Object.entries({ ...natsServerFiles(), ...(await kubernetesFiles()) })) {
  const file = join(workspaceRoot, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

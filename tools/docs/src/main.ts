import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { configurationDocument, configurationFile } from './configuration.js';
import { natsServerFile, natsServerFiles } from './nats-server-files.js';

await writeFile(configurationFile(), await configurationDocument());
for (const [path, text] of Object.entries(natsServerFiles())) {
  await mkdir(dirname(natsServerFile(path)), { recursive: true });
  await writeFile(natsServerFile(path), text);
}

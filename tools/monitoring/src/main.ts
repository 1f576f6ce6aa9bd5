import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dashboardFiles } from './dashboards.js';
import { dashboardsFolder } from './paths.js';

await mkdir(dashboardsFolder, { recursive: true });
for (const [file, text] of await dashboardFiles()) {
  await writeFile(join(dashboardsFolder, file), text);
}

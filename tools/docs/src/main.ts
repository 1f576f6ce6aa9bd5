import { writeFile } from 'node:fs/promises';
import { configurationDocument, configurationFile } from './configuration.js';

await writeFile(configurationFile(), await configurationDocument());

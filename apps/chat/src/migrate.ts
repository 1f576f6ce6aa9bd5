import { migrateAndExit } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { schema } from './schema.js';

await migrateAndExit({ name: 'chat', config: () => readConfig(process.env), schema });

import { migrateAndExit } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { schema } from './schema.js';

await migrateAndExit({ name: 'notifications', config: () => readConfig(process.env), schema });

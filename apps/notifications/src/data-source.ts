import { dataSourceOptions } from '@mentorhub/persistence';
import { DataSource } from 'typeorm';
import { readConfig } from './config.js';
import { schema } from './schema.js';

const config = readConfig(process.env);

/** For the TypeORM command line only. */
export default new DataSource(dataSourceOptions({ url: config.DATABASE_URL, ...schema }));

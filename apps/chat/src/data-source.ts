import { dataSourceOptions } from '@mentorhub/persistence';
import { DataSource } from 'typeorm';
import { readConfig } from './config.js';
import { schema } from './schema.js';

/** For the TypeORM command line. */
export default new DataSource(
  dataSourceOptions({ url: readConfig(process.env).DATABASE_URL, ...schema }),
);

import { directDataSourceOptions, migrationSettings } from '@mentorhub/persistence';
import { databaseSettings } from '@mentorhub/service-kit';
import { DataSource } from 'typeorm';
import { readConfig } from './config.js';
import { schema } from './schema.js';

const config = readConfig(process.env);

/** For the TypeORM command line only. */
export default new DataSource(
  directDataSourceOptions(migrationSettings({ ...databaseSettings(config), ...schema })),
);

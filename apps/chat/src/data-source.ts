import { directDataSourceOptions, migrationSettings } from '@mentorhub/persistence';
import { databaseSettings } from '@mentorhub/service-kit';
import { DataSource } from 'typeorm';
import { readConfig } from './config.js';
import { schema } from './schema.js';

/** For the TypeORM command line. */
export default new DataSource(
  directDataSourceOptions(
    migrationSettings({ ...databaseSettings(readConfig(process.env)), ...schema }),
  ),
);

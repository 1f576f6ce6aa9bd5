import { demoDataMain } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { seedPeople } from './demo-data/seed-people.js';
import { schema } from './schema.js';

await demoDataMain({
  name: 'identity',
  config: () => readConfig(process.env),
  schema,
  seed: (tx, config) =>
    seedPeople(tx, { now: new Date(), publicUrl: config.PUBLIC_URL, costs: config }),
});

import { demoDataMain } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { seedPeople } from './demo-data/seed-people.js';
import { schema } from './schema.js';

await demoDataMain({
  name: 'identity',
  config: () => readConfig(process.env),
  schema,
  seed: (tx, { PUBLIC_URL: publicUrl }) => seedPeople(tx, { now: new Date(), publicUrl }),
});

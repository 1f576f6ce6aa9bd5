import { demoDataMain } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { seedMentors } from './demo-data/seed-mentors.js';
import { schema } from './schema.js';

await demoDataMain({
  name: 'mentorship',
  config: () => readConfig(process.env),
  schema,
  seed: (tx) => seedMentors(tx, new Date()),
});

import { text } from 'node:stream/consumers';
import { demoDataMain } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { type DemoPayment, seedPayments } from './demo-data/seed-payments.js';
import { schema } from './schema.js';

/** What mentorship's demo-data.js printed comes on the standard input, so that both know the same sessions. */
const line = (await text(process.stdin)).split('\n').find((one) => one.includes('"payments":['));
const { payments } = JSON.parse(line ?? '{"payments":[]}') as { payments: DemoPayment[] };

await demoDataMain({
  name: 'payments',
  config: () => readConfig(process.env),
  schema,
  seed: (tx) => seedPayments(tx, payments),
});

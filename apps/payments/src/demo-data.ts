import { text } from 'node:stream/consumers';
import type { DemoPayment } from '@mentorhub/contracts/demo-data';
import { demoDataMain } from '@mentorhub/service-kit';
import { readConfig } from './config.js';
import { seedPayments } from './demo-data/seed-payments.js';
import { schema } from './schema.js';

/** What mentorship's demo-data.js printed, from the standard input, so that both know the same sessions. */
async function paymentsOfSessions(): Promise<DemoPayment[]> {
  const input = process.stdin.isTTY ? '' : await text(process.stdin);
  const line = input.split('\n').find((one) => one.includes('"payments":['));
  if (line === undefined) {
    throw new Error(
      'The payments of the demo sessions are missing: pipe the output of mentorship’s demo-data.js into this one.',
    );
  }
  return (JSON.parse(line) as { payments: DemoPayment[] }).payments;
}

await demoDataMain({
  name: 'payments',
  config: () => readConfig(process.env),
  schema,
  seed: async (tx) => seedPayments(tx, await paymentsOfSessions()),
});

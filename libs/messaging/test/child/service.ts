import process from 'node:process';
import { Client } from 'pg';
import type { NatsConnection } from '@nats-io/transport-node';
import { NATS_CONNECTION } from '../../src/index.js';
import { EffectsController } from '../effects.js';
import { startService } from '../fixture.js';

/*
 * A service in a process of its own that dies by SIGKILL at the worst moment: `publish-mark` after JetStream stored
 * the events and before the outbox knows; `commit-ack` after the effect is committed and before the broker knows.
 */
interface Order {
  databaseUrl: string;
  natsUrl: string;
  service?: string;
  dieBetween?: 'publish-mark' | 'commit-ack';
  /** How far the clock of this machine is ahead. */
  clockOffsetMs?: number;
}

interface Query {
  text?: string;
}

const order = JSON.parse(process.argv[3] ?? '{}') as Order;
const { clockOffsetMs = 0 } = order;
const clock = Date.now;
Date.now = () => clock() + clockOffsetMs;

const die = (): void => void process.kill(process.pid, 'SIGKILL');

if (order.dieBetween === 'publish-mark') {
  const client = Client.prototype as unknown as { query: (query: Query | string) => unknown };
  const { query } = client;
  client.query = function (this: unknown, ...args: [Query | string]) {
    const [first] = args;
    const text = typeof first === 'object' ? first.text : first;
    if (text?.includes('UPDATE outbox SET published_at = now()')) return die();
    return query.apply(this, args);
  };
}

const { app } = await startService({ ...order, controllers: [EffectsController] });

if (order.dieBetween === 'commit-ack') {
  const { protocol } = app.get<NatsConnection & { protocol: { publish: Publish } }>(
    NATS_CONNECTION,
  );
  type Publish = (subject: string, ...rest: unknown[]) => void;
  const publish = protocol.publish.bind(protocol);
  protocol.publish = (subject, ...rest) =>
    subject.startsWith('$JS.ACK') ? die() : publish(subject, ...rest);
}
process.stdout.write('ready\n');

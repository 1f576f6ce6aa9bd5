import { ApplicationError, event, request } from '@mentorhub/contracts';
import { testNats } from '@mentorhub/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Neighbours } from '../src/index.js';

const halve = request.public<{ n: number }, { n: number }>('maths.numbers.halve');
const halved = event<{ n: number }>('maths.number.halved');

describe('the neighbours of a service', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let connection: NatsConnection;
  let neighbours: Neighbours;

  beforeAll(async () => {
    nats = await testNats();
    connection = await connect({ servers: nats.url });
    neighbours = await Neighbours.connect(nats.url);
  });

  afterAll(async () => {
    await neighbours.close();
    await connection.close();
    await nats.stop();
  });

  it('ask and answer, also with errors', async () => {
    neighbours.answer(halve, ({ n }) => {
      if (n % 2 === 1) throw new ApplicationError('CONFLICT', 'Choose an even number.');
      return { n: n / 2 };
    });
    await expect(neighbours.ask(halve, undefined, { n: 4 })).resolves.toEqual({ n: 2 });
    await expect(neighbours.ask(halve, undefined, { n: 3 })).rejects.toMatchObject({
      code: 'CONFLICT',
      detail: 'Choose an even number.',
    });
  });

  it('publish events as soon as there is a stream for them', async () => {
    const publishing = neighbours.publish(halved, 4, { n: 2 });
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name: 'EVENTS', subjects: ['event.>'] });
    const id = await publishing;
    const stored = await streams.getMessage('EVENTS', { last_by_subj: halved.subject });
    expect(stored?.json()).toMatchObject({
      id,
      type: halved.type,
      aggregate_id: '4',
      data: { n: 2 },
    });
  });
});

import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Nats } from '@mentorhub/local-system';
import { testNats } from './index.js';

describe('the nats-server of a test file', () => {
  let nats: Nats;

  beforeAll(async () => {
    nats = await testNats();
  });

  afterAll(() => nats.stop());

  async function streams(): Promise<string[]> {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const names: string[] = [];
    for await (const stream of manager.streams.list()) names.push(stream.config.name);
    await connection.close();
    return names;
  }

  async function addStream(name: string): Promise<void> {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    await connection.close();
  }

  it('keeps its streams over a kill and a restart', async () => {
    await addStream('kept');
    await nats.kill();
    await nats.restart();
    await expect(streams()).resolves.toEqual(['kept']);
  });

  it('has lost its streams after a restart with a wiped store', async () => {
    await nats.restart({ wipe: true });
    await expect(streams()).resolves.toEqual([]);
  });
});

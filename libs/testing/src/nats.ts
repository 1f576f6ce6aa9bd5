import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Nats, removeAfterwards, startNats } from '@mentorhub/local-system';

export interface TestNatsOptions {
  /**
   * The configuration text, when a test needs users and permissions; default: JetStream without users.
   */
  config?: (port: number, storeDirectory: string) => string;
}

/**
 * A nats-server with JetStream of one's own, for one test file. `stop` also removes its store;
 * `kill` and `restart` keep it (unless it is to be wiped), and the port stays the same.
 */
export async function testNats(options: TestNatsOptions = {}): Promise<Nats> {
  const directory = await mkdtemp(join(tmpdir(), 'mentorhub-test-nats-'));
  removeAfterwards(directory);
  const nats = await startNats({ ...options, directory });
  return {
    get url() {
      return nats.url;
    },
    get port() {
      return nats.port;
    },
    get pid() {
      return nats.pid;
    },
    kill: () => nats.kill(),
    restart: (how) => nats.restart(how),
    stop: async () => {
      await nats.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

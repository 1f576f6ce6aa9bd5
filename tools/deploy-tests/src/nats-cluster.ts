import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  freePort,
  type Nats,
  removeAfterwards,
  startNats,
  workspaceRoot,
} from '@mentorhub/local-system';
import type { TestCertificates } from '@mentorhub/testing';

export interface NatsClusterOptions {
  certificates: TestCertificates;
  /** The public keys of the apps, by the name that the configuration has for each. */
  publicKeys: Readonly<Record<string, string>>;
}

/** A copy of a stream as a server reports it. */
interface Peer {
  name: string;
  current: boolean;
  offline?: boolean;
}

interface Copies {
  leader?: string;
  replicas?: Peer[];
}

interface StreamDetail {
  name: string;
  cluster?: Copies;
  consumer_detail?: { name: string; cluster?: Copies }[];
}

export interface StreamCopies {
  leader: string;
  /** The servers with a copy that is up to date, the leader included. */
  current: string[];
}

/** Three nats-servers with the configuration of deploy/nats/cluster-tls.conf; only ports and paths are others. */
export class NatsCluster {
  private constructor(
    private readonly servers: Nats[],
    private readonly monitorPorts: readonly number[],
  ) {}

  static async start({ certificates, publicKeys }: NatsClusterOptions): Promise<NatsCluster> {
    const committed = readFileSync(
      join(workspaceRoot, 'deploy', 'nats', 'cluster-tls.conf'),
      'utf8',
    );
    const routePorts = [await freePort(), await freePort(), await freePort()];
    const monitorPorts = [await freePort(), await freePort(), await freePort()];
    const servers = await Promise.all(
      routePorts.map(async (routePort, index) => {
        const directory = await mkdtemp(join(tmpdir(), `mentorhub-cluster-nats-${index}-`));
        removeAfterwards(directory);
        return startNats({
          directory,
          config: (port, storeDirectory) => {
            const changes: [string, string][] = [
              ['"0.0.0.0:4222"', `"127.0.0.1:${port}"`],
              ['"0.0.0.0:8222"', `"127.0.0.1:${monitorPorts[index]}"`],
              ['"0.0.0.0:6222"', `"127.0.0.1:${routePort}"`],
              ['$SERVER_NAME', nameOf(index)],
              ['/var/run/nats/nats.pid', join(directory, 'server.pid')],
              ['"/data/jetstream"', JSON.stringify(storeDirectory)],
              ['/etc/nats/tls/tls.crt', certificates.certFile],
              ['/etc/nats/tls/tls.key', certificates.keyFile],
              ['/etc/nats/tls/ca.crt', certificates.caFile],
              ...routePorts.map((each, at): [string, string] => [
                `nats-${at}.nats-headless:6222`,
                `localhost:${each}`,
              ]),
              ...Object.entries(publicKeys).map(([name, key]): [string, string] => [
                `$${name},`,
                `${key},`,
              ]),
            ];
            return changes.reduce(replaced, committed);
          },
        });
      }),
    );
    return new NatsCluster(servers, monitorPorts);
  }

  /** The addresses that apps connect to. @param without a server that is left out */
  url(without?: string): string {
    return this.servers
      .filter((_, index) => nameOf(index) !== without)
      .map(({ port }) => `tls://localhost:${port}`)
      .join(',');
  }

  /** The copies of the event stream; undefined while none of the servers knows a leader. */
  async copies(): Promise<StreamCopies | undefined> {
    for (const port of this.monitorPorts) {
      const details = await streamsAt(port);
      const cluster = details.find(({ name }) => name === 'EVENTS')?.cluster;
      // Only the leader knows how far the others are.
      if (
        cluster?.leader === undefined ||
        cluster.leader !== nameOf(this.monitorPorts.indexOf(port))
      )
        continue;
      const followers = (cluster.replicas ?? []).filter(
        ({ current, offline }) => current && !offline,
      );
      return {
        leader: cluster.leader,
        current: [cluster.leader, ...followers.map(({ name }) => name)],
      };
    }
    return undefined;
  }

  /** The server that delivers the events of a consumer, `chat_identity`. */
  async consumerLeader(name: string): Promise<string | undefined> {
    for (const port of this.monitorPorts) {
      const streams = await streamsAt(port);
      const consumers = streams.flatMap(({ consumer_detail = [] }) => consumer_detail);
      const leader = consumers.find((consumer) => consumer.name === name)?.cluster?.leader;
      if (leader) return leader;
    }
    return undefined;
  }

  /** Ends a server as `kill -9` does. */
  async kill(name: string): Promise<void> {
    await this.server(name).kill();
  }

  async restart(name: string): Promise<void> {
    await this.server(name).restart();
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  private server(name: string): Nats {
    const server = this.servers.find((_, index) => nameOf(index) === name);
    if (!server) throw new Error(`There is no ${name}.`);
    return server;
  }
}

const nameOf = (index: number): string => `nats-${index}`;

function replaced(text: string, [from, to]: [string, string]): string {
  if (!text.includes(from)) throw new Error(`deploy/nats/cluster-tls.conf has no ${from}.`);
  return text.replaceAll(from, to);
}

async function streamsAt(port: number): Promise<StreamDetail[]> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/jsz?streams=true&consumers=true`, {
      signal: AbortSignal.timeout(2000),
    });
    const { account_details = [] } = (await answer.json()) as {
      account_details?: { stream_detail?: StreamDetail[] }[];
    };
    return account_details.flatMap(({ stream_detail = [] }) => stream_detail);
  } catch {
    return [];
  }
}

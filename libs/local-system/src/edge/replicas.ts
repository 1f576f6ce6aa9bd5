import { connect } from 'node:net';

/** One replica of a gateway. */
export interface Upstream {
  /** Where it serves, `http://127.0.0.1:8001`. */
  url: string;
  /** Answers 200 while the replica takes requests; without it, an open port is enough. */
  readyUrl?: string;
}

export interface Replica extends Upstream {
  up: boolean;
}

/** The replicas of a gateway, taken in turn; those that are down or draining are skipped. */
export class Replicas {
  private readonly all: Replica[];
  private turn = 0;

  constructor(upstreams: (string | Upstream)[]) {
    this.all = upstreams.map((upstream) => ({
      ...(typeof upstream === 'string' ? { url: upstream } : upstream),
      up: true,
    }));
  }

  get count(): number {
    return this.all.length;
  }

  /** The next one that is up; when none seems to be, the next one, since it may just have come back. */
  next(): Replica | undefined {
    for (let step = 0; step < this.all.length; step += 1) {
      const replica = this.all[this.turn++ % this.all.length];
      if (replica?.up === true) return replica;
    }
    return this.all[this.turn++ % this.all.length];
  }

  /** Asks every replica whether it is ready. */
  async check(): Promise<void> {
    await Promise.all(
      this.all.map(async (replica) => {
        replica.up = await (replica.readyUrl === undefined
          ? accepts(replica.url)
          : isReady(replica.readyUrl));
      }),
    );
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

function accepts(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

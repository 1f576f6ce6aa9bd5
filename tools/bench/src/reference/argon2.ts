import { availableParallelism } from 'node:os';
import { hash, verify } from '@node-rs/argon2';

/** Those that identity has by default. */
const costs = { memoryCost: 47_104, timeCost: 1, parallelism: 1 };

/** How many passwords a second a process checks that does nothing else, as many at a time as there are cores. */
export async function argon2PerSecond(milliseconds: number): Promise<number> {
  const password = 'a password for the benchmark';
  const stored = await hash(password, costs);
  const end = performance.now() + milliseconds;
  let checked = 0;
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      while (performance.now() < end) {
        await verify(stored, password);
        checked += 1;
      }
    }),
  );
  return checked / (milliseconds / 1000);
}

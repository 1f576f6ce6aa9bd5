import type { Actor } from '@mentorhub/testing';
import type { Stack } from './stack.js';

/** What one load measured. */
export interface Measurement {
  value: number;
  /** CPU time that the load itself took, as a share of one core: it shares the machine with what it measures. */
  generatorCpu: number;
}

/** What one round of a row measured: ours, and the reference's where there is one. */
export interface Round {
  ours: Measurement;
  reference?: Measurement;
  /** Events that were not yet handled when our load ended. */
  backlog?: number;
}

/** Which of the two is loaded first; it changes from round to round, so that neither always meets a warmer machine. */
export type Order = 'ours first' | 'reference first';

export interface Row {
  name: string;
  unit: string;
  /** The bar: a ratio to the reference, or a value of ours. Without one the row only reports. */
  bar?: { ratio: number } | { atMost: number } | { atLeast: number };
  measure: (stack: Stack, people: readonly Actor[], order: Order) => Promise<Round>;
}

export async function measured(load: () => Promise<number>): Promise<Measurement> {
  const before = process.cpuUsage();
  const started = performance.now();
  const value = await load();
  const { user, system } = process.cpuUsage(before);
  return { value, generatorCpu: (user + system) / 1000 / (performance.now() - started) };
}

/** Loads both sides one after the other. `afterOurs` runs right after our load, before the reference's. */
export async function compare<After = undefined>(
  order: Order,
  load: {
    ours: () => Promise<number>;
    reference: () => Promise<number>;
    afterOurs?: () => Promise<After>;
  },
): Promise<{ ours: Measurement; reference: Measurement; after: After | undefined }> {
  const early = order === 'reference first' ? await measured(load.reference) : undefined;
  const ours = await measured(load.ours);
  const after = await load.afterOurs?.();
  return { ours, reference: early ?? (await measured(load.reference)), after };
}

/** The headers of a signed-in request. */
export const bearer = (actor: Actor): Record<string, string> => ({
  authorization: `Bearer ${actor.accessToken}`,
});

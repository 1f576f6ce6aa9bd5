import { event, type EventContract, type EventEnvelope } from '@mentorhub/contracts';
import { Controller } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import { OnEvent, OnEventBatch, Outbox, type OutboxEntry } from '../src/index.js';

export interface Thing {
  n: number;
  /** Makes the handlers fail while `broken` is true. */
  poison?: boolean;
}

export const thingHappened = event<Thing>('mentorship.thing.happened');
export const thingEnded = event<Thing>('mentorship.thing.ended');
/** Handled several at once. */
export const thingCounted = event<Thing>('mentorship.thing.counted');

/** Whether handlers fail on poison. */
export const poison = { broken: true };

function record(
  handler: string,
  { id, data }: Pick<EventEnvelope<Thing>, 'id' | 'data'>,
  tx: EntityManager,
) {
  return tx.query('INSERT INTO effects (event_id, handler, data) VALUES ($1, $2, $3)', [
    id,
    handler,
    JSON.stringify(data),
  ]);
}

/** Handlers whose only effect is a row. */
@Controller()
export class EffectsController {
  @OnEvent([thingHappened, thingEnded])
  async recordThing(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    await record('recordThing', fact, tx);
    // A failed statement, as it aborts the whole transaction in PostgreSQL.
    if (fact.data.poison && poison.broken) await tx.query('SELECT 1 / 0');
  }

  @OnEvent(thingHappened, { key: 'second' })
  async recordAgain(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    await record('second', fact, tx);
  }

  /** Writes down with each event how many it came with. */
  @OnEventBatch(thingCounted)
  async recordTogether(facts: readonly EventEnvelope<Thing>[], tx: EntityManager): Promise<void> {
    for (const { id, data } of facts) {
      const withCompany = { ...data, together: facts.length };
      await record('recordTogether', { id, data: withCompany }, tx);
    }
    if (facts.some(({ data }) => data.poison)) await tx.query('SELECT 1 / 0');
  }
}

const outbox = new Outbox();

/** Adds to the outbox that things happened, each for its aggregate. */
export async function addEvents(
  database: DataSource,
  things: [aggregate: string, Thing][],
  contract: EventContract<Thing> = thingHappened,
) {
  const entries: OutboxEntry<Thing>[] = things.map(([aggregateId, data]) => ({
    event: contract,
    aggregateId,
    data,
  }));
  await database.transaction((tx) => outbox.addMany(tx, entries));
}

export interface Effect {
  event_id: string;
  n: number;
  /** How many events its handler was given at once; of a handler of several. */
  together: number | null;
}

/** What the handler has done so far, in the order in which it did. */
export function effectsOf(database: DataSource, handler = 'recordThing'): Promise<Effect[]> {
  return database.query(
    `SELECT event_id, (data ->> 'n')::int AS n, (data ->> 'together')::int AS together FROM effects WHERE handler = $1 ORDER BY id`,
    [handler],
  );
}

/** The numbers of the things that were recorded, in order. */
export async function recorded(database: DataSource, handler = 'recordThing'): Promise<number[]> {
  return (await effectsOf(database, handler)).map(({ n }) => n);
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

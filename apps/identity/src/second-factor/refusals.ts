import { ApplicationError } from '@mentorhub/contracts';
import type { Transactions } from '@mentorhub/persistence';
import type { EntityManager } from 'typeorm';

/**
 * Runs `work` in one transaction, which is committed also when it resolves to a refusal: what was counted, used up and
 * recorded stays. The refusal is thrown afterwards.
 */
export async function committed<T>(
  transactions: Transactions,
  work: (tx: EntityManager) => Promise<T | ApplicationError>,
): Promise<T> {
  const outcome = await transactions.run(work);
  if (outcome instanceof ApplicationError) throw outcome;
  return outcome;
}

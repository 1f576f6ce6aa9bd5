import type { EntityManager } from 'typeorm';

/** Lets one change of a user's factors happen after the other, so that each sees which there are. */
export async function lockFactors(tx: EntityManager, userId: number): Promise<void> {
  await tx.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [userId]);
}

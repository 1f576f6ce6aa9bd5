import type { EntityManager } from 'typeorm';

/**
 * The administrators who may sign in. Their rows are locked until the transaction is over, so that of the last two who
 * lose their rights at the same time one stays. Call it before any other user is locked.
 */
export async function lockAdministrators(tx: EntityManager): Promise<number[]> {
  const rows = await tx.query<{ id: number }[]>(
    'SELECT id FROM users WHERE is_admin AND is_active ORDER BY id FOR NO KEY UPDATE',
  );
  return rows.map(({ id }) => id);
}

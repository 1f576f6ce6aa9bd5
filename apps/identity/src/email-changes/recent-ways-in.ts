import type { EntityManager } from 'typeorm';

/** Ways into an account besides its password, by table, each with the column that says since when. */
const waysIn = {
  passkeys: 'created_at',
  totp_factors: 'created_at',
  linked_identities: 'linked_at',
  recovery_codes: 'created_at',
} as const;

/** Takes away the ways into an account that were added since an instant, and counts them. */
export async function removeWaysInSince(
  tx: EntityManager,
  userId: number,
  since: Date,
): Promise<Record<string, number>> {
  const removed: Record<string, number> = {};
  for (const [table, addedAt] of Object.entries(waysIn)) {
    const [, count] = await tx.query<[unknown[], number]>(
      `DELETE FROM ${table} WHERE user_id = $1 AND ${addedAt} >= $2`,
      [userId, since],
    );
    removed[table] = count;
  }
  await tx.query('DELETE FROM provider_visits WHERE user_id = $1', [userId]);
  // They stand in for a factor, and go with the last one.
  await tx.query(
    `DELETE FROM recovery_codes WHERE user_id = $1
       AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = $1)
       AND NOT EXISTS (SELECT FROM totp_factors WHERE user_id = $1)`,
    [userId],
  );
  return removed;
}

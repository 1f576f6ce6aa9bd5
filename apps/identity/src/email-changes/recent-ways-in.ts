import type { EntityManager } from 'typeorm';

/** Ways into an account besides its password, by table, each with the column that says since when. */
const waysIn = {
  passkeys: 'created_at',
  totp_factors: 'created_at',
  linked_identities: 'linked_at',
} as const;

/** Takes away the ways into an account that were added since an instant. */
export async function removeWaysInSince(
  tx: EntityManager,
  userId: number,
  since: Date,
): Promise<void> {
  for (const [table, addedAt] of Object.entries(waysIn)) {
    await tx.query(`DELETE FROM ${table} WHERE user_id = $1 AND ${addedAt} >= $2`, [userId, since]);
  }
  await tx.query('DELETE FROM provider_visits WHERE user_id = $1', [userId]);
  // They stand in for a factor, and go with the last one.
  await tx.query(
    `DELETE FROM recovery_codes WHERE user_id = $1
       AND NOT EXISTS (SELECT FROM passkeys WHERE user_id = $1)
       AND NOT EXISTS (SELECT FROM totp_factors WHERE user_id = $1)`,
    [userId],
  );
}

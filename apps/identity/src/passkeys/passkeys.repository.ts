import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** A registered public key and what it belongs to. */
export interface Passkey {
  id: number;
  userId: number;
  /** What the authenticator keeps for the account: random, since anybody with the device can read it. */
  userHandle: Buffer;
  credentialId: Buffer;
  publicKey: Buffer;
  transports: string[];
  backedUp: boolean;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
}

export type NewPasskey = Omit<Passkey, 'id' | 'lastUsedAt'> & {
  /** How often the authenticator says it was used; 0 by those that do not count. */
  counter: number;
};

interface PasskeyRow {
  id: number;
  user_id: number;
  user_handle: Buffer;
  credential_id: Buffer;
  public_key: Buffer;
  transports: string[];
  backed_up: boolean;
  name: string;
  created_at: Date;
  last_used_at: Date | null;
}

const columns = `id, user_id, user_handle, credential_id, public_key, transports, backed_up, name, created_at,
  last_used_at`;

/** Table `passkeys`. */
@Injectable()
export class PasskeysRepository {
  /** @throws a violation of `passkeys_credential_id_key` for a credential that is registered */
  async insert(tx: EntityManager, passkey: NewPasskey): Promise<Passkey> {
    const [row] = await tx.query<[PasskeyRow]>(
      `INSERT INTO passkeys (user_id, user_handle, credential_id, public_key, counter, transports, backed_up, name,
         created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${columns}`,
      [
        passkey.userId,
        passkey.userHandle,
        passkey.credentialId,
        passkey.publicKey,
        passkey.counter,
        passkey.transports,
        passkey.backedUp,
        passkey.name,
        passkey.createdAt,
      ],
    );
    return toPasskey(row);
  }

  /** Those of a user, the oldest first. There are few: see `mostPasskeys`. */
  async of(tx: EntityManager, userId: number): Promise<Passkey[]> {
    const rows = await tx.query<PasskeyRow[]>(
      `SELECT ${columns} FROM passkeys WHERE user_id = $1 ORDER BY id`,
      [userId],
    );
    return rows.map(toPasskey);
  }

  async has(tx: EntityManager, userId: number): Promise<boolean> {
    const rows = await tx.query<unknown[]>(`SELECT FROM passkeys WHERE user_id = $1 LIMIT 1`, [
      userId,
    ]);
    return rows.length > 0;
  }

  async byCredential(tx: EntityManager, credentialId: Buffer): Promise<Passkey | undefined> {
    const [row] = await tx.query<PasskeyRow[]>(
      `SELECT ${columns} FROM passkeys WHERE credential_id = $1`,
      [credentialId],
    );
    return row && toPasskey(row);
  }

  /** Whose passkey it is. */
  async ownerOf(tx: EntityManager, credentialId: Buffer): Promise<number | undefined> {
    const [row] = await tx.query<{ user_id: number }[]>(
      `SELECT user_id FROM passkeys WHERE credential_id = $1`,
      [credentialId],
    );
    return row?.user_id;
  }

  /**
   * Notes a use. False unless the authenticator's counter has grown, or is always zero: one that has not grown tells of
   * a copy (WebAuthn §6.1.1).
   */
  async use(
    tx: EntityManager,
    id: number,
    { counter, backedUp, now }: { counter: number; backedUp: boolean; now: Date },
  ): Promise<boolean> {
    const [rows] = await tx.query<[unknown[], number]>(
      `UPDATE passkeys SET counter = $2, backed_up = $3, last_used_at = $4
       WHERE id = $1 AND (counter < $2 OR (counter = 0 AND $2 = 0)) RETURNING id`,
      [id, counter, backedUp, now],
    );
    return rows.length > 0;
  }

  /** Undefined when it is not the user's. */
  async rename(
    tx: EntityManager,
    { id, userId, name }: { id: number; userId: number; name: string },
  ): Promise<Passkey | undefined> {
    const [rows] = await tx.query<[PasskeyRow[], number]>(
      `UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2 RETURNING ${columns}`,
      [id, userId, name],
    );
    return rows[0] && toPasskey(rows[0]);
  }

  /** False when it is not the user's. */
  async remove(tx: EntityManager, id: number, userId: number): Promise<boolean> {
    const [rows] = await tx.query<[unknown[], number]>(
      `DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING id`,
      [id, userId],
    );
    return rows.length > 0;
  }
}

function toPasskey(row: PasskeyRow): Passkey {
  return {
    id: row.id,
    userId: row.user_id,
    userHandle: row.user_handle,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    transports: row.transports,
    backedUp: row.backed_up,
    name: row.name,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}

import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';

const codes = 10;
/** Crockford's base32: no letter looks like a digit. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 120 random bits: from 112 on a plain hash protects them and guessing needs no limit (ASVS 6.5.2, 6.5.4). */
const length = 24;

/** Codes that stand in for a lost second factor, each once. The database holds the hashes of those that are left. */
@Injectable()
export class RecoveryCodes {
  /** Makes a new set; the codes before stop working. */
  async replace(tx: EntityManager, userId: number, now: Date): Promise<string[]> {
    const fresh = Array.from({ length: codes }, newCode);
    await this.remove(tx, userId);
    await tx.query(
      `INSERT INTO recovery_codes (user_id, code_hash, created_at) SELECT $1, unnest($2::bytea[]), $3`,
      [userId, fresh.map((code) => hashOf(normalized(code))), now],
    );
    return fresh;
  }

  /** Uses a code up; resolves to how many are left, or to undefined when it is none. */
  async redeem(tx: EntityManager, userId: number, code: string): Promise<number | undefined> {
    const [used] = await tx.query<[unknown[], number]>(
      `DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING user_id`,
      [userId, hashOf(normalized(code))],
    );
    return used.length > 0 ? this.left(tx, userId) : undefined;
  }

  async left(tx: EntityManager, userId: number): Promise<number> {
    const [row] = await tx.query<[{ count: number }]>(
      `SELECT count(*)::int AS count FROM recovery_codes WHERE user_id = $1`,
      [userId],
    );
    return row.count;
  }

  async remove(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(`DELETE FROM recovery_codes WHERE user_id = $1`, [userId]);
  }
}

/** `7K3M9Q-X2R8TW-4HVB6N-D5Y0ZC` */
function newCode(): string {
  const characters = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]);
  return characters.join('').replace(/.{6}(?=.)/g, '$&-');
}

/** What of a code matters, however it was typed. */
function normalized(code: string): string {
  return code
    .toUpperCase()
    .replace(/[^0-9A-Z]/g, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
}

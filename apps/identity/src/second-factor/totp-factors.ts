import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { Secret, TOTP } from 'otpauth';
import type { EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { SecretBox } from '../secrets/secret-box.js';

/** RFC 4226 §4: 160 bits are recommended. */
const secretBytes = 20;
/** What every authenticator app understands; many ignore anything else that the address says. */
const parameters = { issuer: 'MentorHub', algorithm: 'SHA1', digits: 6, period: 30 };
/** Steps that a clock may be wrong, either way (RFC 6238 §5.2). */
const window = 1;
/** How long an enrolment waits for its first code. */
export const enrolmentMs = 600_000;

interface FactorRow {
  secret: Buffer;
}

/**
 * Authenticator apps: RFC 6238. An account has one. The database holds the secrets encrypted, and the time step of the
 * last code that was accepted: no code of that step or of one before is accepted again.
 */
@Injectable()
export class TotpFactors {
  private readonly box: SecretBox;

  constructor(@Inject(CONFIG) config: IdentityConfig) {
    this.box = new SecretBox(config.SECRET_KEY, 'TOTP secrets');
  }

  /**
   * Makes a secret that counts once a code of it has been shown; one that still waits for that is replaced. Resolves to
   * undefined where an app is set up.
   */
  async enrol(
    tx: EntityManager,
    user: { id: number; email: string },
    now: Date,
  ): Promise<{ secret: string; uri: string } | undefined> {
    const secret = new Secret({ size: secretBytes });
    const rows = await tx.query<unknown[]>(
      `INSERT INTO totp_factors AS f (user_id, secret, created_at, last_step) VALUES ($1, $2, $3, 0)
       ON CONFLICT ON CONSTRAINT totp_factors_pkey
       DO UPDATE SET secret = $2, created_at = $3, last_step = 0 WHERE f.confirmed_at IS NULL
       RETURNING user_id`,
      [user.id, this.box.seal(secret.base32, String(user.id)), now],
    );
    if (rows.length === 0) return undefined;
    return { secret: secret.base32, uri: generator(secret, user.email).toString() };
  }

  /** Sets the app up that shows this code; false for a wrong code, and where no enrolment waits for one. */
  async confirm(tx: EntityManager, userId: number, code: string, now: Date): Promise<boolean> {
    const [row] = await tx.query<FactorRow[]>(
      `SELECT secret FROM totp_factors
       WHERE user_id = $1 AND confirmed_at IS NULL AND created_at > $2 FOR UPDATE`,
      [userId, new Date(now.getTime() - enrolmentMs)],
    );
    const step = row && this.stepOf(userId, row, code, now);
    if (step === undefined) return false;
    await tx.query(`UPDATE totp_factors SET confirmed_at = $2, last_step = $3 WHERE user_id = $1`, [
      userId,
      now,
      step,
    ]);
    return true;
  }

  /** Whether an enrolment waits for its first code. */
  async isEnrolling(tx: EntityManager, userId: number, now: Date): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL AND created_at > $2`,
      [userId, new Date(now.getTime() - enrolmentMs)],
    );
    return rows.length > 0;
  }

  /** Since when the account has an app; undefined when it has none. */
  async since(tx: EntityManager, userId: number): Promise<Date | undefined> {
    const [row] = await tx.query<{ confirmed_at: Date }[]>(
      `SELECT confirmed_at FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL`,
      [userId],
    );
    return row?.confirmed_at;
  }

  /** Uses a code of the account's app up. Of several that present it at the same time, one succeeds. */
  async redeem(tx: EntityManager, userId: number, code: string, now: Date): Promise<boolean> {
    const [row] = await tx.query<FactorRow[]>(
      `SELECT secret FROM totp_factors
       WHERE user_id = $1 AND confirmed_at IS NOT NULL`,
      [userId],
    );
    const step = row && this.stepOf(userId, row, code, now);
    if (step === undefined) return false;
    const [redeemed] = await tx.query<[unknown[], number]>(
      `UPDATE totp_factors SET last_step = $2
       WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2 AND secret = $3
       RETURNING user_id`,
      [userId, step, row?.secret],
    );
    return redeemed.length > 0;
  }

  /** Forgets the app. */
  async remove(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(`DELETE FROM totp_factors WHERE user_id = $1`, [userId]);
  }

  /** The time step a code is of, if it is of one near `now`. */
  private stepOf(
    userId: number,
    { secret }: FactorRow,
    code: string,
    now: Date,
  ): number | undefined {
    const totp = generator(Secret.fromBase32(this.box.open(secret, String(userId))));
    const timestamp = now.getTime();
    const delta = totp.validate({ token: code.replace(' ', ''), timestamp, window });
    return delta === null ? undefined : totp.counter({ timestamp }) + delta;
  }
}

function generator(secret: Secret, label = ''): TOTP {
  return new TOTP({ ...parameters, secret, label });
}

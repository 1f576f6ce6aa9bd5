import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { SecretBox } from '../secrets/secret-box.js';

/** RFC 4226 §4: 160 bits are recommended. */
const secretBytes = 20;
/** What every authenticator app understands; many ignore anything else that the address says. */
const parameters = { issuer: 'MentorHub', algorithm: 'SHA1', digits: 6, period: 30 };
/** Steps that a clock may be wrong, either way (RFC 6238 §5.2). */
const window = 1;
/** Brings its own hash functions, which a process that never sees a code need not hold in memory. */
const otpauth = () => import('otpauth');

/** What the boxes are for. */
const purpose = 'TOTP secrets';
/** How long an enrolment waits for its first code. */
export const enrolmentMs = 600_000;

/** Who sets an app up, on which device. */
interface Enrolment {
  userId: number;
  sessionId: number;
}

interface FactorRow {
  secret: Buffer;
}

/**
 * Authenticator apps: RFC 6238. An account has one. The database holds the secrets encrypted, and the time step of the
 * last code that was accepted: no code of that step or of one before is accepted again.
 */
@Injectable()
export class TotpFactors {
  private readonly logger = new Logger(TotpFactors.name);
  private readonly box: SecretBox;
  /** Opens what was sealed before `SECRET_KEY` was replaced. */
  private readonly previousBox?: SecretBox;

  constructor(@Inject(CONFIG) { SECRET_KEY, PREVIOUS_SECRET_KEY }: IdentityConfig) {
    this.box = new SecretBox(SECRET_KEY, purpose);
    if (PREVIOUS_SECRET_KEY !== undefined) {
      this.previousBox = new SecretBox(PREVIOUS_SECRET_KEY, purpose);
    }
  }

  /**
   * Makes a secret that counts once a code of it has been shown; one that still waits for that is replaced. Resolves to
   * undefined where an app is set up.
   */
  async enrol(
    tx: EntityManager,
    user: { id: number; email: string },
    sessionId: number,
    now: Date,
  ): Promise<{ secret: string; uri: string } | undefined> {
    const { Secret, TOTP } = await otpauth();
    const secret = new Secret({ size: secretBytes });
    const rows = await tx.query<unknown[]>(
      `INSERT INTO totp_factors AS f (user_id, session_id, secret, created_at, last_step) VALUES ($1, $4, $2, $3, 0)
       ON CONFLICT ON CONSTRAINT totp_factors_pkey
       DO UPDATE SET session_id = $4, secret = $2, created_at = $3, last_step = 0 WHERE f.confirmed_at IS NULL
       RETURNING user_id`,
      [user.id, this.box.seal(secret.base32, String(user.id)), now, sessionId],
    );
    if (rows.length === 0) return undefined;
    const uri = new TOTP({ ...parameters, secret, label: user.email }).toString();
    return { secret: secret.base32, uri };
  }

  /** Sets the app up that shows this code; false for a wrong code, and where no enrolment waits for one. */
  async confirm(
    tx: EntityManager,
    { userId, sessionId }: Enrolment,
    code: string,
    now: Date,
  ): Promise<boolean> {
    const [row] = await tx.query<FactorRow[]>(
      `SELECT secret FROM totp_factors
       WHERE user_id = $1 AND session_id = $3 AND confirmed_at IS NULL AND created_at > $2 FOR UPDATE`,
      [userId, new Date(now.getTime() - enrolmentMs), sessionId],
    );
    const secret = row && this.open(userId, row.secret);
    const step = secret === undefined ? undefined : await stepOf(secret, code, now);
    if (step === undefined) return false;
    await tx.query(`UPDATE totp_factors SET confirmed_at = $2, last_step = $3 WHERE user_id = $1`, [
      userId,
      now,
      step,
    ]);
    return true;
  }

  /** Whether an enrolment waits for its first code. */
  async isEnrolling(
    tx: EntityManager,
    { userId, sessionId }: Enrolment,
    now: Date,
  ): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `SELECT FROM totp_factors
       WHERE user_id = $1 AND session_id = $3 AND confirmed_at IS NULL AND created_at > $2`,
      [userId, new Date(now.getTime() - enrolmentMs), sessionId],
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
    const secret = row && this.open(userId, row.secret);
    if (secret === undefined) return false;
    const step = await stepOf(secret, code, now);
    if (step === undefined) return false;
    const [redeemed] = await tx.query<[unknown[], number]>(
      `UPDATE totp_factors SET last_step = $2
       WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2 AND secret = $3
       RETURNING user_id`,
      [userId, step, row?.secret],
    );
    if (redeemed.length === 0) return false;
    if (this.previousBox) await this.reseal(tx, userId, secret);
    return true;
  }

  /** Forgets the app. */
  async remove(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(`DELETE FROM totp_factors WHERE user_id = $1`, [userId]);
  }

  private open(userId: number, sealed: Buffer): string | undefined {
    for (const box of [this.box, this.previousBox]) {
      try {
        if (box) return box.open(sealed, String(userId));
      } catch {
        // It was sealed with another key.
      }
    }
    this.logger.error(
      'SECRET_KEY does not open the secret of an authenticator app: give the one before as PREVIOUS_SECRET_KEY.',
      { user_id: userId },
    );
    return undefined;
  }

  /** Has a secret outlive the previous key. */
  private async reseal(tx: EntityManager, userId: number, secret: string): Promise<void> {
    await tx.query(`UPDATE totp_factors SET secret = $2 WHERE user_id = $1`, [
      userId,
      this.box.seal(secret, String(userId)),
    ]);
  }
}

/** The time step a code is of, if it is of one near `now`. */
async function stepOf(base32: string, code: string, now: Date): Promise<number | undefined> {
  const { Secret, TOTP } = await otpauth();
  const totp = new TOTP({ ...parameters, secret: Secret.fromBase32(base32) });
  const timestamp = now.getTime();
  const delta = totp.validate({ token: code.replace(' ', ''), timestamp, window });
  return delta === null ? undefined : totp.counter({ timestamp }) + delta;
}

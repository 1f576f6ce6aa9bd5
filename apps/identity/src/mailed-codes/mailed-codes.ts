import { createHmac, hkdfSync, randomInt, timingSafeEqual } from 'node:crypto';
import { ApplicationError, type Locale } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { hashOf, newToken } from '../secrets/secret-token.js';

export type CodePurpose = 'sign_in' | 'reauthenticate';

/** How long a code works. */
export const codeSeconds = 600;
const mostTries = 5;

/** What a code is for, of whom, and who alone may send it: a browser by the secret of its cookie, or a session. */
export interface CodeOf {
  purpose: CodePurpose;
  subject: string;
  holder: string;
}

/** Where the mail goes, and in which language. */
export interface CodeAddress {
  email: string;
  locale: Locale;
}

/** A code that proved right; `redeem` it. */
export interface RightCode {
  id: number;
  codeHash: Buffer;
}

interface TriedRow {
  id: number;
  code_hash: Buffer | null;
}

/**
 * Six digits and a link that go by mail: for ten minutes, five tries and one use, and for the browser that asked for
 * them. A newer one replaces the older. The code is made when the mail is sent. Six digits are soon found from a plain
 * hash, so the database holds an HMAC with a key made of `SECRET_KEY`.
 */
@Injectable()
export class MailedCodes {
  private readonly key: Buffer;

  constructor(
    @Inject(CONFIG) config: IdentityConfig,
    private readonly dataSource: DataSource,
  ) {
    this.key = Buffer.from(hkdfSync('sha256', config.SECRET_KEY, '', 'mentorhub mailed codes', 32));
  }

  /** Makes room for a code, which does not exist yet, to the address; gives the id by which the mail asks for it. */
  async begin(
    tx: EntityManager,
    { purpose, subject, holder }: CodeOf,
    { email, locale }: CodeAddress,
    now: Date,
  ): Promise<number> {
    const [row] = await tx.query<{ id: number }[]>(
      `INSERT INTO mailed_codes (purpose, subject_hash, holder_hash, email, locale, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT ON CONSTRAINT mailed_codes_subject_key DO UPDATE SET
         id = excluded.id, holder_hash = excluded.holder_hash, email = excluded.email,
         locale = excluded.locale,         code_hash = NULL, token_hash = NULL, tries = 0, expires_at = excluded.expires_at
       RETURNING id`,
      [
        purpose,
        hashOf(subject),
        hashOf(holder),
        email,
        locale,
        new Date(now.getTime() + codeSeconds * 1000),
      ],
    );
    return row!.id;
  }

  /**
   * Makes code and token of the mail with this id; those that an earlier attempt to send it made stop working.
   * @returns undefined when it is over, or was replaced
   */
  async mint(
    purpose: CodePurpose,
    id: number,
    now: Date,
  ): Promise<(CodeAddress & { code: string; token: string }) | undefined> {
    const code = randomInt(1_000_000).toString().padStart(6, '0');
    const token = newToken();
    const [rows] = await this.dataSource.query<[CodeAddress[], number]>(
      `UPDATE mailed_codes SET code_hash = $4, token_hash = $5
       WHERE id = $1 AND purpose = $2 AND expires_at > $3 RETURNING email, locale`,
      [id, purpose, now, this.hmac(id, code), hashOf(token)],
    );
    return rows[0] && { ...rows[0], code, token };
  }

  /**
   * Tries a code. The try counts before the comparison and by itself, so that any number at the same time, on any number
   * of replicas, get five of them; where nobody was to be written to, they count as well. Others than the holder have
   * none to lose.
   */
  async check(
    { purpose, subject, holder }: CodeOf,
    code: string,
    now: Date,
  ): Promise<RightCode | undefined> {
    const [rows] = await this.dataSource.query<[TriedRow[], number]>(
      `UPDATE mailed_codes SET tries = tries + 1
       WHERE purpose = $1 AND subject_hash = $2 AND holder_hash = $3 AND expires_at > $4 AND tries < $5
       RETURNING id, code_hash`,
      [purpose, hashOf(subject), hashOf(holder), now, mostTries],
    );
    const { id = 0, code_hash: codeHash = null } = rows[0] ?? {};
    const given = this.hmac(id, code.replace(' ', ''));
    return codeHash !== null && timingSafeEqual(codeHash, given) ? { id, codeHash } : undefined;
  }

  /**
   * Uses a right code up, and gives the address that it proves.
   * @returns undefined when another request was first, or a newer code has taken its place
   */
  async redeem(tx: EntityManager, { id, codeHash }: RightCode): Promise<string | undefined> {
    const [rows] = await tx.query<[{ email: string }[], number]>(
      `DELETE FROM mailed_codes WHERE id = $1 AND code_hash = $2 RETURNING email`,
      [id, codeHash],
    );
    return rows[0]?.email;
  }

  /** The same with the token of the link. Its 256 bits are not guessed, so a wrong one is no try. */
  async redeemToken(
    tx: EntityManager,
    {
      purpose,
      holder,
      token,
      now,
    }: Pick<CodeOf, 'purpose' | 'holder'> & { token: string; now: Date },
  ): Promise<string | undefined> {
    const [rows] = await tx.query<[{ email: string }[], number]>(
      `DELETE FROM mailed_codes
       WHERE token_hash = $1 AND purpose = $2 AND holder_hash = $3 AND expires_at > $4 AND tries < $5
       RETURNING email`,
      [hashOf(token), purpose, hashOf(holder), now, mostTries],
    );
    return rows[0]?.email;
  }

  private hmac(id: number, code: string): Buffer {
    return createHmac('sha256', this.key).update(`${id}.${code}`).digest();
  }
}

/** The answer to every code that does not work; the reason could tell who may sign in. */
export function invalidCode(): ApplicationError {
  return new ApplicationError(
    'INVALID_CODE',
    'The code is wrong, used, replaced by a newer one, older than ten minutes, was tried five times, or was asked for in another browser: check it, or ask for a new mail.',
  );
}

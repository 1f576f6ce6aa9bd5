import {
  ApplicationError,
  type Caller,
  type Contact,
  type Device,
  type EmailVerified,
  userEmailVerified,
  userVerificationRequested,
  type VerificationSent,
  type VerifyEmail,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Credentials } from '../auth/credentials.js';
import { hashOf } from '../secrets/secret-token.js';
import { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';
import { toContact } from '../users/user.views.js';
import { invalidLink, verificationHours, VerificationTokens } from './verification-tokens.js';

/** At most one mail an address and minute, so that nobody floods a mailbox. */
const pauseMs = 60_000;

class NothingToSend extends Error {}

@Injectable()
export class EmailVerificationService {
  constructor(
    private readonly users: UsersRepository,
    private readonly tokens: VerificationTokens,
    private readonly credentials: Credentials,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /** Answers the same, after the same work, whether or not there is anybody to write to. */
  async send(address: string): Promise<VerificationSent> {
    const email = address.toLowerCase();
    await this.transactions.run(async (tx) => {
      const due = await this.isDue(tx, email);
      const user = await this.users.byEmail(tx, email);
      const addressee = due && user?.isActive && !user.emailVerifiedAt ? user : undefined;
      try {
        // Where there is nobody to write to, the event is written all the same and taken back.
        await tx.transaction(async (savepoint) => {
          const id = addressee?.id ?? 0;
          await this.outbox.add(savepoint, userVerificationRequested, id, { user_id: id });
          if (!addressee) throw new NothingToSend();
        });
      } catch (error) {
        if (!(error instanceof NothingToSend)) throw error;
      }
    });
    return {
      message: 'If this address has an account that is not verified yet, a mail is on its way.',
      expires_in_hours: verificationHours,
    };
  }

  /**
   * Marks the address as verified. The token proves the mailbox; the actor's session or the password proves that the
   * account belongs to the same person, who may have got a mail because somebody else registered the address.
   * @throws ApplicationError INVALID_TOKEN, UNAUTHENTICATED, INVALID_CREDENTIALS, RATE_LIMITED
   */
  async verify(
    actor: Caller | undefined,
    { token, password, device }: VerifyEmail & { device: Device },
  ): Promise<EmailVerified> {
    const proof = await this.tokens.find(token, this.clock.now());
    if (actor?.user_id !== proof.userId) {
      if (password === undefined) throw accountNotProven();
      const { id } = await this.credentials.check(proof.email, password, device.ip);
      if (id !== proof.userId) throw invalidLink();
    }
    return this.transactions.run(async (tx) => {
      const now = this.clock.now();
      const { userId, email } = await this.tokens.redeem(tx, token, now);
      const { affected } = await tx
        .createQueryBuilder()
        .update(User)
        .set({ emailVerifiedAt: () => 'coalesce(email_verified_at, :now)' })
        // The address may have changed since the mail was sent.
        .where('id = :userId AND email = :email', { userId, email, now })
        .execute();
      if (!affected) throw invalidLink();
      await this.outbox.add(tx, userEmailVerified, userId, { user_id: userId });
      return { message: 'The email address is verified.', email };
    });
  }

  /**
   * Makes the token that goes into the mail, as late as possible: when the mail is sent.
   * @throws ApplicationError NOT_FOUND
   */
  async mint(userId: number): Promise<Contact & { token: string }> {
    const user = await this.users.byId(userId);
    const token = await this.transactions.run((tx) => this.tokens.mint(tx, user, this.clock.now()));
    return { ...toContact(user), token };
  }

  /** Whether the last mail to an address lies long enough back; if so, this one counts. */
  private async isDue(tx: EntityManager, email: string): Promise<boolean> {
    const now = this.clock.now();
    const rows = await tx.query<unknown[]>(
      `INSERT INTO verification_requests AS last (email_hash, sent_at) VALUES ($1, $2)
       ON CONFLICT ON CONSTRAINT verification_requests_pkey
       DO UPDATE SET sent_at = $2 WHERE last.sent_at <= $3
       RETURNING sent_at`,
      [hashOf(email), now, new Date(now.getTime() - pauseMs)],
    );
    return rows.length > 0;
  }
}

function accountNotProven(): ApplicationError {
  return new ApplicationError(
    'UNAUTHENTICATED',
    'Sign in to the account that the link belongs to and open it again, or send the password of the account. If you did not register it, do nothing: it is deleted after 7 days.',
  );
}

import {
  ApplicationError,
  type Caller,
  type Device,
  type EmailVerified,
  type MintedMail,
  type SendVerification,
  userEmailVerified,
  type VerificationSent,
  type VerifyEmail,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AccountMailRegistry } from '../account-mails/account-mail-registry.js';
import { AccountMails } from '../account-mails/account-mails.js';
import { MailPauses } from '../account-mails/mail-pauses.js';
import { invalidLink, MailTokens } from '../account-mails/mail-tokens.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { Credentials } from '../auth/credentials.js';
import { User } from '../users/user.entity.js';
import { MailLimits } from '../limits/mail-limits.js';
import { UsersRepository } from '../users/users.repository.js';
import { toContact } from '../users/user.views.js';

const verificationHours = 24;
const lifetimeMs = verificationHours * 3_600_000;

@Injectable()
export class EmailVerificationService implements OnModuleInit {
  constructor(
    private readonly users: UsersRepository,
    private readonly mails: AccountMails,
    private readonly registry: AccountMailRegistry,
    private readonly pauses: MailPauses,
    private readonly tokens: MailTokens,
    private readonly limits: MailLimits,
    private readonly credentials: Credentials,
    private readonly audit: AuditTrail,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add('verify_email', ({ user_id }) => this.mint(user_id));
  }

  /**
   * Answers the same, after the same work, whether or not there is anybody to write to.
   * @throws ApplicationError RATE_LIMITED
   */
  async send(request: SendVerification & { device: Device }): Promise<VerificationSent> {
    const { device } = request;
    const email = request.email.toLowerCase();
    await this.transactions.run(async (tx) => {
      const now = this.clock.now();
      await this.limits.countRequest(tx, device.ip);
      const due = await this.pauses.admit(tx, 'verify_email', email, now);
      const user = await this.users.addressee(tx, email, now);
      const addressee = due && user?.reachable && !user.verified ? user : undefined;
      await this.mails.requestIfAny(tx, addressee?.id, 'verify_email');
      await this.audit.record(tx, {
        action: 'email.verify_request',
        actorId: null,
        userId: user?.id ?? null,
        device,
      });
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
    request: VerifyEmail & { device: Device },
  ): Promise<EmailVerified> {
    const { device } = request;
    try {
      return await this.limits.tryToken(device.ip, () => this.redeem(actor, request));
    } catch (error) {
      await this.audit.noteRefusal(error, {
        action: 'email.verify',
        actorId: actor?.user_id ?? null,
        sessionId: actor?.session_id,
        device,
      });
      throw error;
    }
  }

  private async redeem(
    actor: Caller | undefined,
    { token, password, device }: VerifyEmail & { device: Device },
  ): Promise<EmailVerified> {
    const proof = await this.tokens.find('verify_email', token, this.clock.now());
    if (actor?.user_id !== proof.userId) {
      if (password === undefined) throw accountNotProven();
      const { id } = await this.credentials.check(proof.email, password, device);
      if (id !== proof.userId) throw invalidLink();
    }
    return this.transactions.run(async (tx) => {
      const now = this.clock.now();
      await this.users.lock(tx, proof.userId);
      const { userId, email } = await this.tokens.redeem(tx, 'verify_email', token, now);
      const { affected } = await tx
        .createQueryBuilder()
        .update(User)
        .set({ emailVerifiedAt: () => 'coalesce(email_verified_at, :now)' })
        // The address may have changed since the mail was sent.
        .where('id = :userId AND email = :email', { userId, email, now })
        .execute();
      if (!affected) throw invalidLink();
      await this.outbox.add(tx, userEmailVerified, userId, { user_id: userId });
      await this.audit.record(tx, { action: 'email.verify', actorId: userId, device });
      return { message: 'The email address is verified.', email };
    });
  }

  /** Without the name, which may be the text of somebody who registered the address of another. */
  private async mint(userId: number): Promise<MintedMail> {
    const user = await this.users.byId(userId);
    const token = await this.transactions.run((tx) =>
      this.tokens.mint(tx, 'verify_email', user, { lifetimeMs, now: this.clock.now() }),
    );
    const { full_name: _, ...contact } = toContact(user);
    return { ...contact, token };
  }
}

function accountNotProven(): ApplicationError {
  return new ApplicationError(
    'UNAUTHENTICATED',
    'Sign in to the account that the link belongs to and open it again, or send the password of the account. If you did not register it, do nothing: it is deleted after 7 days.',
  );
}

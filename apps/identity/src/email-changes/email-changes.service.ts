import {
  type AccountMailRequest,
  ApplicationError,
  type Caller,
  type ChangeEmail,
  type ConfirmEmailChange,
  type Device,
  type EmailChanged,
  type EmailChangeRequested,
  type MintedMail,
  type UndoEmailChange,
  userEmailChanged,
  userEmailVerified,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { isUniqueViolation, Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AccountMailRegistry } from '../account-mails/account-mail-registry.js';
import { AccountMails } from '../account-mails/account-mails.js';
import { MailPauses } from '../account-mails/mail-pauses.js';
import { invalidLink, MailTokens } from '../account-mails/mail-tokens.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { Credentials } from '../auth/credentials.js';
import { StepUp } from '../auth/step-up.js';
import { MailLimits } from '../limits/mail-limits.js';
import { tooMany } from '../limits/network-counters.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import { FormerEmails } from '../users/former-emails.js';
import { User } from '../users/user.entity.js';
import { toContact } from '../users/user.views.js';
import { emailTaken, UsersRepository } from '../users/users.repository.js';
import { confirmationMs, PendingEmailChanges } from './pending-email-changes.js';
import { removeWaysInSince } from './recent-ways-in.js';

/** Whoever took an account over may have added ways into it before they changed the address. */
const suspectMs = 24 * 3_600_000;

/**
 * Changes of addresses. The new mailbox confirms a change; the old one learns of it and can undo it for 72 hours, also
 * when somebody else has got hold of the account.
 */
@Injectable()
export class EmailChangesService implements OnModuleInit {
  constructor(
    private readonly users: UsersRepository,
    private readonly pending: PendingEmailChanges,
    private readonly former: FormerEmails,
    private readonly credentials: Credentials,
    private readonly stepUp: StepUp,
    private readonly mails: AccountMails,
    private readonly registry: AccountMailRegistry,
    private readonly pauses: MailPauses,
    private readonly tokens: MailTokens,
    private readonly limits: MailLimits,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add('confirm_email_change', (request) => this.mintConfirmation(request));
    this.registry.add('undo_email_change', (request) => this.mintUndo(request));
  }

  /**
   * Has a link mailed to the new address that confirms the change; an older one stops working. Whether the address has an
   * account is looked up when the mail is sent, so nothing here depends on it.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, VALIDATION_FAILED for the address that the account has, RATE_LIMITED
   */
  async request(
    actor: Caller,
    { email: address, device }: ChangeEmail & { device: Device },
  ): Promise<EmailChangeRequested> {
    const { user_id: actorId, session_id: sessionId } = actor;
    const act = { action: 'email.change_request', actorId, sessionId, device } as const;
    const email = address.toLowerCase();
    try {
      await this.stepUp.require(actor);
    } catch (error) {
      await this.audit.noteRefusal(error, act);
      throw error;
    }
    await this.transactions.run(async (tx) => {
      await this.limits.countRequest(tx, device.ip);
      const user = await this.users.lock(tx, actorId);
      await this.stepUp.requireIn(tx, actor);
      if (user.email === email) {
        throw ApplicationError.invalid('email', 'email is the one that the account has already.');
      }
      await this.askForConfirmation(tx, actorId, email);
      await this.audit.record(tx, act);
    });
    return {
      message:
        'If the address can be used, a mail with a link that confirms the change is on its way to it.',
      expires_in_hours: confirmationMs / 3_600_000,
    };
  }

  /**
   * Gives the account the address whose mailbox the token proves. As with a verification, the actor's session or the
   * password proves that the account is the reader's, who may be a stranger where the address was mistyped.
   * @throws ApplicationError INVALID_TOKEN, UNAUTHENTICATED, INVALID_CREDENTIALS, EMAIL_TAKEN, RATE_LIMITED
   */
  async confirm(
    actor: Caller | undefined,
    request: ConfirmEmailChange & { device: Device },
  ): Promise<EmailChanged> {
    const { device } = request;
    try {
      return await this.limits.tryToken(device.ip, async () => {
        const userId = await this.provenOwner(actor, request);
        return this.transactions.run((tx) =>
          this.applyChange(tx, { userId, sessionId: actor?.session_id }, request),
        );
      });
    } catch (error) {
      const refusal = isTaken(error) ? emailTaken() : error;
      await this.audit.noteRefusal(refusal, {
        action: 'email.change',
        actorId: actor?.user_id ?? null,
        sessionId: actor?.session_id,
        device,
      });
      throw refusal;
    }
  }

  /**
   * Gives the account the address back that it had. Somebody else may have got hold of it, so everybody is signed out,
   * no mail that was sent works any more, nor does the password or what was added to sign in with in the day before the
   * change or since, recovery codes included: a mail to the address leads to a new password.
   * @throws ApplicationError INVALID_TOKEN, RATE_LIMITED
   */
  async undo({ token, device }: UndoEmailChange & { device: Device }): Promise<EmailChanged> {
    try {
      const { email, ended } = await this.limits.tryToken(device.ip, () =>
        this.transactions.run((tx) => this.restore(tx, token, device)),
      );
      this.revocation.announce(ended);
      return {
        message:
          'The account has this address again. All devices are signed out, and the password does not work any more: a mail with a link to set a new one is on its way. If you sign in with a second step, make new recovery codes in the settings of your account.',
        email,
      };
    } catch (error) {
      const act = { action: 'email.undo_change', actorId: null, device } as const;
      await this.audit.noteRefusal(error, act);
      throw error;
    }
  }

  private async askForConfirmation(
    tx: EntityManager,
    userId: number,
    email: string,
  ): Promise<void> {
    const now = this.clock.now();
    // By user as well: others who name the address do not stand in the way.
    const to = `${userId} ${email}`;
    if (await this.pauses.admit(tx, 'confirm_email_change', to, now)) {
      const id = await this.pending.store(tx, userId, email, now);
      await this.mails.request(tx, userId, 'confirm_email_change', id);
      return;
    }
    const waiting = await this.pending.find(tx, userId, now);
    // A repeated request for the mail that is on its way is none.
    if (waiting?.newEmail === email) return;
    const until = await this.pauses.next(tx, 'confirm_email_change', to, now);
    throw tooMany('A mail went to this address a moment ago', until, now);
  }

  /** The user whose change the token confirms, who has proven to be the owner of the account. */
  private async provenOwner(
    actor: Caller | undefined,
    { token, password, device }: ConfirmEmailChange & { device: Device },
  ): Promise<number> {
    const { userId } = await this.tokens.find('confirm_email_change', token, this.clock.now());
    if (actor?.user_id === userId) return userId;
    if (password === undefined) throw accountNotProven();
    await this.credentials.checkOwn(userId, password, device);
    return userId;
  }

  private async applyChange(
    tx: EntityManager,
    { userId, sessionId }: { userId: number; sessionId?: number },
    { token, device }: ConfirmEmailChange & { device: Device },
  ): Promise<EmailChanged> {
    const now = this.clock.now();
    const user = await this.users.lock(tx, userId);
    const { email } = await this.tokens.redeem(tx, 'confirm_email_change', token, now);
    if (!user.isActive) throw invalidLink();
    if (await this.former.isReserved(tx, email, { exceptFor: userId, now })) throw emailTaken();
    await this.replaceEmail(tx, user, email);
    const returned = await this.former.takeBack(tx, userId, email);
    // One that was never verified may be anybody's, who is to have no say over the account.
    if (user.emailVerifiedAt && !returned) {
      const id = await this.former.store(tx, userId, user.email, now);
      await this.mails.request(tx, userId, 'undo_email_change', id);
    }
    await this.audit.record(tx, { action: 'email.change', actorId: userId, sessionId, device });
    return { message: 'The address of the account is changed.', email };
  }

  private async restore(
    tx: EntityManager,
    token: string,
    device: Device,
  ): Promise<{ email: string; ended: EndedSession[] }> {
    const { userId, email, changedAt } = await this.former.find(tx, token, this.clock.now());
    const user = await this.users.lock(tx, userId);
    // False when a click at the same moment was faster.
    if (!(await this.former.takeBack(tx, userId, email))) throw invalidLink();
    await this.replaceEmail(tx, user, email);
    await this.users.setHash(tx, userId, null);
    const detail = await removeWaysInSince(tx, userId, new Date(changedAt.getTime() - suspectMs));
    await this.mails.request(tx, userId, 'reset_password');
    const act = { action: 'email.undo_change', actorId: null, userId, device } as const;
    await this.audit.record(tx, { ...act, detail });
    return { email, ended: await this.revocation.endIn(tx, { userIds: [userId] }) };
  }

  /** Gives a locked user an address whose mailbox is proven; what was mailed to another one does not work any more. */
  private async replaceEmail(tx: EntityManager, user: User, email: string): Promise<void> {
    const now = this.clock.now();
    await tx.update(User, { id: user.id }, { email, emailVerifiedAt: now });
    await this.tokens.void(tx, user.id);
    await this.pending.void(tx, user.id);
    await this.outbox.add(tx, userEmailChanged, user.id, { user_id: user.id });
    if (user.emailVerifiedAt) return;
    await this.outbox.add(tx, userEmailVerified, user.id, { user_id: user.id });
  }

  /** For the new mailbox; without the name, as nobody has proven to be its reader. */
  private async mintConfirmation({
    user_id: userId,
    ref,
  }: AccountMailRequest): Promise<MintedMail> {
    const user = await this.users.activeById(userId);
    return this.transactions.run(async (tx) => {
      const now = this.clock.now();
      await this.users.lock(tx, userId);
      const change = await this.pending.find(tx, userId, now);
      if (change?.id !== ref || (await this.isInUse(tx, change.newEmail, userId))) {
        throw ApplicationError.notFound('The change of the address');
      }
      const { full_name: _, ...contact } = toContact(user);
      const proof = { id: userId, email: change.newEmail };
      const lifetimeMs = confirmationMs;
      const token = await this.tokens.mint(tx, 'confirm_email_change', proof, { lifetimeMs, now });
      return { ...contact, email: change.newEmail, email_verified: false, token };
    });
  }

  /** For the old mailbox. */
  private async mintUndo({ user_id: userId, ref }: AccountMailRequest): Promise<MintedMail> {
    const user = await this.users.byId(userId);
    const minted = await this.transactions.run((tx) =>
      this.former.mint(tx, { id: ref ?? 0, userId }, this.clock.now()),
    );
    if (!minted) throw ApplicationError.notFound('The change of the address');
    return { ...toContact(user), ...minted };
  }

  private async isInUse(tx: EntityManager, email: string, userId: number): Promise<boolean> {
    if (await this.users.byEmail(tx, email)) return true;
    return this.former.isReserved(tx, email, { exceptFor: userId, now: this.clock.now() });
  }
}

/** Whether the database refuses an address: somebody else got it first. */
function isTaken(error: unknown): boolean {
  return (
    isUniqueViolation(error, 'users_email_key') || isUniqueViolation(error, 'users_email_reserved')
  );
}

function accountNotProven(): ApplicationError {
  return new ApplicationError(
    'UNAUTHENTICATED',
    'Sign in to the account whose address is to change and open the link again, or send the password of the account. If you did not ask for this, do nothing: the link expires after 24 hours.',
  );
}

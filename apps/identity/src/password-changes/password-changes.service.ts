import {
  ApplicationError,
  type Caller,
  type ChangePassword,
  type Device,
  type ForgotPassword,
  type MintedMail,
  type PasswordReset,
  type ResetPassword,
  type ResetSent,
  userEmailVerified,
  userPasswordChanged,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AccountMailRegistry } from '../account-mails/account-mail-registry.js';
import { AccountMails } from '../account-mails/account-mails.js';
import { MailPauses } from '../account-mails/mail-pauses.js';
import { invalidLink, type MailTokenPurpose, MailTokens } from '../account-mails/mail-tokens.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { Credentials } from '../auth/credentials.js';
import { LoginThrottle } from '../auth/login-throttle.js';
import { StepUp } from '../auth/step-up.js';
import { PendingEmailChanges } from '../email-changes/pending-email-changes.js';
import { removeWaysInSince } from '../email-changes/recent-ways-in.js';
import { MailLimits } from '../limits/mail-limits.js';
import { Passwords } from '../passwords/passwords.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { toContact } from '../users/user.views.js';
import { UsersRepository } from '../users/users.repository.js';

const resetHours = 1;
const lifetimeMs = resetHours * 3_600_000;

/** New passwords: by the old one, or by a mail where that is forgotten. */
@Injectable()
export class PasswordChangesService implements OnModuleInit {
  constructor(
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly credentials: Credentials,
    private readonly throttle: LoginThrottle,
    private readonly stepUp: StepUp,
    private readonly mails: AccountMails,
    private readonly registry: AccountMailRegistry,
    private readonly pauses: MailPauses,
    private readonly tokens: MailTokens,
    private readonly limits: MailLimits,
    private readonly emailChanges: PendingEmailChanges,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add('reset_password', ({ user_id }) => this.mint(user_id));
  }

  /**
   * Sends a mail with a link that sets a new password. Answers the same, after the same work, whether or not there is
   * anybody to write to.
   * @throws ApplicationError RATE_LIMITED
   */
  async forgot({
    email: address,
    device,
  }: ForgotPassword & { device: Device }): Promise<ResetSent> {
    const email = address.toLowerCase();
    const now = this.clock.now();
    await this.transactions.run(async (tx) => {
      await this.limits.countRequest(tx, device.ip);
      const due = await this.pauses.admit(tx, 'reset_password', email, now);
      const user = await this.users.addressee(tx, email, now);
      const addressee = due && user?.reachable ? user : undefined;
      await this.mails.requestIfAny(tx, addressee?.id, 'reset_password');
      await this.audit.record(tx, {
        action: 'password.reset_request',
        actorId: null,
        userId: user?.id ?? null,
        device,
      });
    });
    return {
      message:
        'If this address has an account, a mail with a link to set a new password is on its way.',
      expires_in_hours: resetHours,
    };
  }

  /**
   * Sets a new password by the token of a mail. That proves the mailbox, so the address counts as verified. Everybody
   * who is signed in to the account is signed out. A password that is refused leaves the token as it is.
   * @throws ApplicationError INVALID_TOKEN, VALIDATION_FAILED for a weak password, RATE_LIMITED, OVERLOADED
   */
  async reset(request: ResetPassword & { device: Device }): Promise<PasswordReset> {
    const { device } = request;
    try {
      const { user, ended } = await this.limits.tryToken(device.ip, () => this.redeem(request));
      this.revocation.announce(ended);
      // Who forgot the password has failed with others before.
      await this.throttle.forgive(user.email);
    } catch (error) {
      await this.audit.noteRefusal(error, { action: 'password.reset', actorId: null, device });
      throw error;
    }
    return { message: 'The password is changed. Sign in with the new one.' };
  }

  /**
   * Changes the password of the actor, and signs out all other devices.
   * @throws ApplicationError INVALID_CREDENTIALS, VALIDATION_FAILED, RATE_LIMITED, OVERLOADED, CONFLICT;
   *   REAUTHENTICATION_REQUIRED for an account without a password
   */
  async change(actor: Caller, request: ChangePassword & { device: Device }): Promise<void> {
    const { device } = request;
    const { user_id: actorId, session_id: sessionId } = actor;
    try {
      const user = await this.proven(actor, request);
      const passwordHash = await this.passwords.hashNew(request.new_password, user);
      const ended = await this.transactions.run(async (tx) => {
        const old = user.passwordHash;
        await this.users.lock(tx, actorId);
        if (old === null) await this.stepUp.requireIn(tx, actor);
        if (!(await this.users.replaceHash(tx, actorId, old, passwordHash))) {
          throw changedMeanwhile();
        }
        if (old !== null) await this.stepUp.renewByPassword(tx, sessionId, actorId);
        await this.voidMails(tx, actorId, ['reset_password']);
        await this.outbox.add(tx, userPasswordChanged, actorId, { user_id: actorId });
        await this.audit.record(tx, { action: 'password.change', actorId, sessionId, device });
        return this.revocation.endIn(tx, { userId: actorId, except: sessionId });
      });
      this.revocation.announce(ended);
    } catch (error) {
      await this.audit.noteRefusal(error, {
        action: 'password.change',
        actorId,
        sessionId,
        device,
      });
      throw error;
    }
  }

  /** The actor, who has just proven to be one by the current password, or a moment ago where there is none. */
  private async proven(
    actor: Caller,
    { current_password: current, device }: ChangePassword & { device: Device },
  ): Promise<User> {
    const user = await this.users.withPasswordHash(actor.user_id);
    if (user.passwordHash === null) {
      await this.stepUp.require(actor);
      return user;
    }
    if (current === undefined) {
      throw ApplicationError.invalid(
        'current_password',
        'current_password is missing: send the password that the account has now.',
      );
    }
    try {
      return await this.credentials.checkOwn(user.id, current, device);
    } catch (error) {
      throw isRefusal(error) ? wrongCurrentPassword() : error;
    }
  }

  private async redeem({
    token,
    new_password: password,
    device,
  }: ResetPassword & { device: Device }): Promise<{ user: User; ended: EndedSession[] }> {
    const proof = await this.tokens.find('reset_password', token, this.clock.now());
    // Before the token is used up, and outside of the transaction, as it takes long.
    const passwordHash = await this.passwords.hashNew(
      password,
      await this.users.byId(proof.userId),
    );
    return this.transactions.run(async (tx) => {
      const now = this.clock.now();
      const user = await this.users.lock(tx, proof.userId);
      const { email } = await this.tokens.redeem(tx, 'reset_password', token, now);
      // The address may have changed since the mail was sent.
      if (!canReset(user, now) || user.email !== email) throw invalidLink();
      await this.users.setHash(tx, user.id, passwordHash);
      const act = { actorId: null, userId: user.id, device };
      if (!user.emailVerifiedAt) {
        await tx.update(User, { id: user.id }, { emailVerifiedAt: now });
        // They may be those of a stranger who registered the address.
        await removeWaysInSince(tx, user.id, user.createdAt);
        await this.outbox.add(tx, userEmailVerified, user.id, { user_id: user.id });
        await this.audit.record(tx, { action: 'email.verify', ...act });
      }
      await this.voidMails(tx, user.id);
      await this.outbox.add(tx, userPasswordChanged, user.id, { user_id: user.id });
      await this.audit.record(tx, { action: 'password.reset', ...act });
      return { user, ended: await this.revocation.endIn(tx, { userIds: [user.id] }) };
    });
  }

  /** Makes the token of a mail when that is sent. */
  private async mint(userId: number): Promise<MintedMail> {
    const now = this.clock.now();
    const user = await this.users.byId(userId);
    if (!canReset(user, now)) throw ApplicationError.notFound('The account');
    const token = await this.transactions.run((tx) =>
      this.tokens.mint(tx, 'reset_password', user, { lifetimeMs, now }),
    );
    const { full_name: name, ...contact } = toContact(user);
    // Until then the name may be the text of somebody who registered the address of another.
    return { ...contact, ...(user.emailVerifiedAt && { full_name: name }), token };
  }

  /** Ends what mails have been sent for, all of it or some, and with it a change of the address that waits for its mail. */
  private async voidMails(
    tx: EntityManager,
    userId: number,
    purposes?: MailTokenPurpose[],
  ): Promise<void> {
    await this.tokens.void(tx, userId, purposes);
    await this.emailChanges.void(tx, userId);
  }
}

/** Whether the account is one whose password may be set by mail; one that was not verified in time is about to be deleted. */
function canReset({ isActive, emailVerifiedAt, verifyBy }: User, now: Date): boolean {
  return isActive && (emailVerifiedAt !== null || verifyBy === null || verifyBy > now);
}

function isRefusal(error: unknown): boolean {
  return error instanceof ApplicationError && error.code === 'INVALID_CREDENTIALS';
}

function wrongCurrentPassword(): ApplicationError {
  return new ApplicationError(
    'INVALID_CREDENTIALS',
    'The current password is wrong: check it, or sign out and have a link mailed that sets a new one.',
    { errors: [{ field: 'current_password', message: 'current_password is wrong.' }] },
  );
}

function changedMeanwhile(): ApplicationError {
  return new ApplicationError(
    'CONFLICT',
    'The password was changed on another device at this moment: try again with that one as the current password.',
  );
}

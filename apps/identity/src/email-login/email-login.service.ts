import {
  ApplicationError,
  type CodeRequested,
  type Device,
  type EmailLoginAnswer,
  type MintedMail,
  type RequestEmailLogin,
  type VerifyEmailLogin,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AccountMailRegistry } from '../account-mails/account-mail-registry.js';
import { AccountMails } from '../account-mails/account-mails.js';
import { MailPauses } from '../account-mails/mail-pauses.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { LoginThrottle } from '../auth/login-throttle.js';
import { openedOf, type OpenedSession, type PendingSession, SignIns } from '../auth/sign-ins.js';
import type { IdentityConfig } from '../config.js';
import { MailLimits } from '../limits/mail-limits.js';
import { MembersRepository } from '../members/members.repository.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';
import { toContact } from '../users/user.views.js';
import { codeSeconds, invalidCode, MailedCodes } from '../mailed-codes/mailed-codes.js';
import { toEmailLoginAnswer } from './mansa-user.js';
import { MemberSignUps } from './member-sign-ups.js';
import { ReclaimedAccounts } from './reclaimed-accounts.js';

/** Answers what a browser without a cookie of ours is taken for. */
const noBrowser = '';

interface SignedInUser {
  opened: OpenedSession | PendingSession;
  /** Sessions of those who had the account before. */
  ended: EndedSession[];
}

/** Sign-in with an email address alone: a code and a link in a mail prove the mailbox. */
@Injectable()
export class EmailLoginService implements OnModuleInit {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly codes: MailedCodes,
    private readonly users: UsersRepository,
    private readonly members: MembersRepository,
    private readonly signUps: MemberSignUps,
    private readonly reclaimed: ReclaimedAccounts,
    private readonly signIns: SignIns,
    private readonly throttle: LoginThrottle,
    private readonly limits: MailLimits,
    private readonly pauses: MailPauses,
    private readonly mails: AccountMails,
    private readonly registry: AccountMailRegistry,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add('sign_in_code', ({ ref }) => this.mint(ref));
  }

  /**
   * Sends code and link to those who have an account or are in the members directory. The answer is the same, after the
   * same work, for everybody else. Where addresses are trusted, it signs in at once.
   * @throws ApplicationError RATE_LIMITED; where addresses are trusted, NOT_FOUND and FORBIDDEN
   */
  request(
    request: RequestEmailLogin & { browser_token: string; device: Device },
  ): Promise<CodeRequested | EmailLoginAnswer> {
    const email = request.email.toLowerCase();
    return this.config.EMAIL_LOGIN === 'trusted'
      ? this.trust(email, request.device)
      : this.send(email, request.browser_token, request.device);
  }

  /**
   * Signs in whoever has read the mail, in the browser that asked for it. The first sign-in of a member opens the
   * account.
   * @throws ApplicationError INVALID_CODE, INVALID_TOKEN, MFA_REQUIRED, RATE_LIMITED, FORBIDDEN for a deactivated
   *   account, VALIDATION_FAILED unless there is a code with its address or a token
   */
  async verify(
    request: VerifyEmailLogin & { browser_token: string | null; device: Device },
  ): Promise<EmailLoginAnswer> {
    const { email, code, token, device } = request;
    const holder = request.browser_token ?? noBrowser;
    if (token !== undefined && email === undefined && code === undefined) {
      return this.audited(device, null, () =>
        this.limits.tryToken(device.ip, () => this.verifyToken(token, holder, device)),
      );
    }
    if (email === undefined || code === undefined || token !== undefined) throw codeOrToken();
    const folded = email.toLowerCase();
    return this.audited(device, folded, () => this.verifyCode(folded, { code, holder, device }));
  }

  private async send(email: string, holder: string, device: Device): Promise<CodeRequested> {
    const now = this.clock.now();
    await this.transactions.run(async (tx) => {
      await this.limits.countRequest(tx, device.ip);
      const isDue = await this.pauses.admit(tx, 'sign_in_code', email, now);
      const user = await this.users.byEmail(tx, email);
      const member = await this.members.byEmail(tx, email);
      if (isDue) {
        const ref = await this.codes.begin(
          tx,
          { purpose: 'sign_in', subject: email, holder },
          { email, locale: requestContext.current()?.locale ?? 'en' },
          now,
        );
        const isKnown = user === null ? member !== undefined : user.isActive;
        // A member without an account has no id yet.
        await this.mails.requestIfAny(
          tx,
          isKnown ? (user?.id ?? 0) : undefined,
          'sign_in_code',
          ref,
        );
      }
      await this.audit.record(tx, {
        action: 'email_login.request',
        actorId: null,
        userId: user?.id ?? null,
        device,
      });
    });
    return {
      detail: 'If this address may sign in, a mail with a code and a link is on its way.',
      expires_in: codeSeconds,
    };
  }

  private async verifyCode(
    email: string,
    { code, holder, device }: { code: string; holder: string; device: Device },
  ): Promise<EmailLoginAnswer> {
    const attempt = await this.throttle.admit(email, device.ip);
    const right = await this.codes.check(
      { purpose: 'sign_in', subject: email, holder },
      code,
      this.clock.now(),
    );
    if (!right) throw invalidCode();
    await this.throttle.clear(attempt);
    return this.signIn(device, async (tx) => {
      const proven = await this.codes.redeem(tx, right);
      if (proven === undefined) throw invalidCode();
      return proven;
    });
  }

  private verifyToken(token: string, holder: string, device: Device): Promise<EmailLoginAnswer> {
    return this.signIn(device, async (tx) => {
      const now = this.clock.now();
      const proven = await this.codes.redeemToken(tx, { purpose: 'sign_in', holder, token, now });
      if (proven === undefined) throw invalidToken();
      return proven;
    });
  }

  /** Opens the session of the user whose address is proven, in the transaction that uses the proof up. */
  private async signIn(
    device: Device,
    prove: (tx: EntityManager) => Promise<string>,
  ): Promise<EmailLoginAnswer> {
    const accept = () =>
      this.transactions.run(async (tx): Promise<SignedInUser> => {
        const email = await prove(tx);
        const { user, ended } = await this.ownerOf(tx, email, device);
        return { opened: await this.signIns.open(tx, user, { method: 'email', device }), ended };
      });
    let accepted: SignedInUser;
    try {
      accepted = await accept();
    } catch (error) {
      // Somebody registered the address in this moment; the proof is still there.
      if (!(error instanceof ApplicationError && error.code === 'EMAIL_TAKEN')) throw error;
      accepted = await accept();
    }
    return this.answer(accepted);
  }

  private async answer({ opened, ended }: SignedInUser): Promise<EmailLoginAnswer> {
    this.revocation.announce(ended);
    const { user } = openedOf(opened);
    return toEmailLoginAnswer(await this.signIns.answer(opened), user);
  }

  /** The user of a proven address: the account, if need be taken from whoever registered it, or a new one of a member. */
  private async ownerOf(
    tx: EntityManager,
    email: string,
    device: Device,
  ): Promise<{ user: User; ended: EndedSession[] }> {
    const known = await tx.findOne(User, {
      where: { email },
      lock: { mode: 'for_no_key_update' },
    });
    const user = known ?? (await this.newUserOf(tx, email, device));
    // Not of one who may not sign in anyway.
    const isForeign = user.isActive && !user.emailVerifiedAt;
    const ended = isForeign ? await this.reclaimed.reclaim(tx, user, device) : [];
    if (user.isActive) await this.signUps.note(tx, user);
    return { user, ended };
  }

  /** @throws ApplicationError INVALID_CODE when the member has been taken out of the directory */
  private async newUserOf(tx: EntityManager, email: string, device: Device): Promise<User> {
    const member = await this.members.byEmail(tx, email);
    if (!member) throw invalidCode();
    return this.signUps.open(tx, member, device);
  }

  /** The one-step answer: whoever names an address is taken for its owner. */
  private async trust(email: string, device: Device): Promise<EmailLoginAnswer> {
    return this.audited(device, email, async () => {
      await this.transactions.run((tx) => this.limits.countRequest(tx, device.ip));
      const accept = () =>
        this.transactions.run(async (tx): Promise<SignedInUser> => {
          const user = await this.trustedUser(tx, email, device);
          const proof = { method: 'email' as const, device, unproven: true };
          return { opened: await this.signIns.open(tx, user, proof), ended: [] };
        });
      try {
        return await this.answer(await accept());
      } catch (error) {
        if (!(error instanceof ApplicationError && error.code === 'EMAIL_TAKEN')) throw error;
        return this.answer(await accept());
      }
    });
  }

  /** @throws ApplicationError NOT_FOUND, FORBIDDEN for administrators */
  private async trustedUser(tx: EntityManager, email: string, device: Device): Promise<User> {
    const known = await tx.findOne(User, {
      where: { email },
      lock: { mode: 'for_no_key_update' },
    });
    const member = known ? undefined : await this.members.byEmail(tx, email);
    if (!known && !member) {
      throw new ApplicationError(
        'NOT_FOUND',
        'Email not found in users and members: check it, or ask an administrator to add you to the members.',
      );
    }
    const user = known ?? (await this.signUps.open(tx, member!, device));
    if (user.isAdmin) {
      throw new ApplicationError(
        'FORBIDDEN',
        'Administrators do not sign in with an address alone: sign in with the password.',
      );
    }
    if (user.isActive) await this.signUps.note(tx, user);
    return user;
  }

  /** Runs an act and records when it is refused. */
  private async audited<T>(
    device: Device,
    email: string | null,
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (isRefusal(error)) {
        const user =
          email === null ? null : await this.users.byEmail(this.dataSource.manager, email);
        await this.audit.note({
          action: 'email_login.verify',
          outcome: 'failure',
          actorId: null,
          userId: user?.id ?? null,
          device,
          detail: { reason: error.code },
        });
      }
      throw error;
    }
  }

  /** @throws ApplicationError NOT_FOUND */
  private async mint(ref: number | null): Promise<MintedMail> {
    const minted =
      ref === null ? undefined : await this.codes.mint('sign_in', ref, this.clock.now());
    if (!minted) throw ApplicationError.notFound('The code');
    const { email, locale, code, token } = minted;
    const user = await this.users.byEmail(this.dataSource.manager, email);
    if (!user) {
      return {
        user_id: 0,
        email,
        locale,
        timezone: 'UTC',
        email_verified: false,
        code,
        token,
      };
    }
    if (!user.isActive) throw ApplicationError.notFound('The account');
    const { full_name: name, ...contact } = toContact(user);
    // Until then the name may be the text of somebody who registered the address of another.
    return { ...contact, ...(user.emailVerifiedAt && { full_name: name }), code, token };
  }
}

/** A sign-in that awaits the second factor is none, nor is one too many, of which anybody could send any number. */
function isRefusal(error: unknown): error is ApplicationError {
  return (
    error instanceof ApplicationError &&
    error.status < 500 &&
    error.code !== 'MFA_REQUIRED' &&
    error.code !== 'RATE_LIMITED'
  );
}

function codeOrToken(): ApplicationError {
  return new ApplicationError('VALIDATION_FAILED', 'Some fields are invalid.', {
    errors: [{ field: 'code', message: 'Send `email` and `code`, or `token` alone.' }],
  });
}

function invalidToken(): ApplicationError {
  return new ApplicationError(
    'INVALID_TOKEN',
    'This link was used, replaced by a newer one, has expired, or was asked for in another browser: open it there, or ask for a new mail.',
  );
}

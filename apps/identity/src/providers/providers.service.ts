import {
  ApplicationError,
  type Caller,
  type Device,
  type LinkedProviders,
  nameFault,
  type Returned,
  type SignedIn,
  type SignInProviders,
  type StartedVisit,
  userProviderLinked,
  userProviderUnlinked,
} from '@mentorhub/contracts';
import { Outbox, requestContext } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { SignIns } from '../auth/sign-ins.js';
import { StepUp } from '../auth/step-up.js';
import { NetworkCounters, type NetworkLimit } from '../limits/network-counters.js';
import { NetworkFailures } from '../limits/network-failures.js';
import { sourceOf } from '../limits/source.js';
import { FactorChecks } from '../second-factor/factor-checks.js';
import { lockFactors } from '../second-factor/lock-factors.js';
import { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';
import {
  type IdentityProvider,
  type ProviderAccount,
  ProviderUnavailable,
} from './identity-provider.js';
import { IdentityProviders } from './identity-providers.js';
import { LinkedIdentities } from './linked-identities.js';
import {
  ProviderVisits,
  type VisitPurpose,
  visitSeconds,
  visitUnknown,
} from './provider-visits.js';

const visitLimit: NetworkLimit = {
  kind: 'provider_visit',
  most: 60,
  windowMs: 15 * 60_000,
  what: 'sign-ins',
};

const failureLimit: NetworkLimit = {
  kind: 'provider_failure',
  most: 60,
  windowMs: 15 * 60_000,
  what: 'sign-ins that nobody began',
};

/** Signs users in with their accounts at providers, and links those to users. */
@Injectable()
export class ProvidersService {
  private readonly logger = new Logger(ProvidersService.name);

  constructor(
    private readonly providers: IdentityProviders,
    private readonly visits: ProviderVisits,
    private readonly identities: LinkedIdentities,
    private readonly users: UsersService,
    private readonly signIns: SignIns,
    private readonly stepUp: StepUp,
    private readonly factors: FactorChecks,
    private readonly networks: NetworkCounters,
    private readonly failures: NetworkFailures,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  list(): SignInProviders {
    return { items: this.providers.all.map(({ id, name }) => ({ id, name })) };
  }

  /**
   * Begins a visit that signs in.
   * @throws ApplicationError NOT_FOUND, RATE_LIMITED, PROVIDER_UNAVAILABLE
   */
  start(provider: string, device: Device): Promise<StartedVisit> {
    return this.begin({ provider, userId: null }, device);
  }

  /**
   * Begins a visit that links the provider's account to the actor's.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, otherwise like `start`
   */
  async startLink(actor: Caller, provider: string, device: Device): Promise<StartedVisit> {
    await this.stepUp.requireFor(actor, 'provider.link', device);
    return this.begin({ provider, userId: actor.user_id }, device);
  }

  /**
   * Signs in whom the provider names. A first visit opens an account, or is linked to the one of the same address.
   * @throws ApplicationError INVALID_TOKEN, PROVIDER_UNAVAILABLE, EMAIL_NOT_VERIFIED, EMAIL_TAKEN, RATE_LIMITED,
   *   MFA_REQUIRED, FORBIDDEN for a deactivated account
   */
  async signIn(request: Returned): Promise<SignedIn> {
    const provider = this.providers.find(request.provider);
    const { device } = request;
    const opened = await this.audited(
      { action: 'provider.sign_in', provider, device },
      async () => {
        const account = await this.accountOf(provider, request, null);
        return this.transactions.run(async (tx) => {
          const user = await this.userOf(tx, provider, account, device);
          return this.signIns.open(tx, user, { method: 'provider', device });
        });
      },
    );
    return this.signIns.answer(opened);
  }

  /** What is linked to the actor's account. */
  async linked(actor: Caller): Promise<LinkedProviders> {
    const linked = await this.identities.of(actor.user_id);
    return {
      items: linked.flatMap(({ issuer, linkedAt }) =>
        this.providers.all
          .filter((provider) => provider.issuer === issuer)
          .map(({ id, name }) => ({ id, name, linked_at: linkedAt.toISOString() })),
      ),
    };
  }

  /**
   * Links the account at the provider to the actor's. Again, it does no harm.
   * @throws ApplicationError INVALID_TOKEN, PROVIDER_UNAVAILABLE, EMAIL_NOT_VERIFIED, CONFLICT, UNAUTHENTICATED when the
   *   session has ended meanwhile
   */
  async link(actor: Caller, request: Returned): Promise<void> {
    const provider = this.providers.find(request.provider);
    const { user_id: userId } = actor;
    const { device } = request;
    await this.audited({ action: 'provider.link', provider, device, actor }, async () => {
      const account = await this.accountOf(provider, request, userId);
      if (account.verifiedEmail === undefined) throw addressNotVerified(provider);
      await this.transactions.run(async (tx) => {
        const owner = await this.identities.userOf(tx, provider.issuer, account.subject);
        if (owner === userId) return;
        if (owner !== undefined) {
          throw new ApplicationError(
            'CONFLICT',
            `This account at ${provider.name} signs in to another user here: unlink it there first.`,
          );
        }
        await lockFactors(tx, userId);
        // The visit took a while.
        await this.stepUp.requireSessionIn(tx, actor);
        await this.addLink(tx, provider, { subject: account.subject, userId, device, actor });
      });
    });
  }

  /** @throws ApplicationError REAUTHENTICATION_REQUIRED, NOT_FOUND, WRONG_STATE */
  async unlink(actor: Caller, id: string, device: Device): Promise<void> {
    const provider = this.providers.find(id);
    const { user_id: userId, session_id: sessionId } = actor;
    await this.stepUp.requireFor(actor, 'provider.unlink', device);
    await this.audited({ action: 'provider.unlink', provider, device, actor }, () =>
      this.transactions.run(async (tx) => {
        await lockFactors(tx, userId);
        await this.stepUp.requireIn(tx, actor);
        const issuers = this.providers.all.map(({ issuer }) => issuer);
        await this.identities.unlink(tx, { userId, issuer: provider.issuer, issuers });
        await this.audit.record(tx, {
          action: 'provider.unlink',
          actorId: userId,
          sessionId,
          device,
          detail: { provider: provider.id },
        });
        await this.outbox.add(tx, userProviderUnlinked, userId, {
          user_id: userId,
          provider_name: provider.name,
        });
      }),
    );
  }

  private async begin(purpose: VisitPurpose, device: Device): Promise<StartedVisit> {
    const provider = this.providers.find(purpose.provider);
    const { visit, browserToken } = await this.transactions.run(async (tx) => {
      await this.networks.count(tx, sourceOf(device.ip), visitLimit);
      return this.visits.begin(tx, purpose);
    });
    const url = await this.asked(provider, () => provider.authorizationUrl(visit));
    return {
      authorization_url: url.href,
      expires_in: visitSeconds,
      browser_token: browserToken,
    };
  }

  /** Whose account at the provider came back. */
  private async accountOf(
    provider: IdentityProvider,
    { code, state, iss, browser_token: browserToken }: Returned,
    userId: number | null,
  ): Promise<ProviderAccount> {
    const visit = await this.visits.end({ provider: provider.id, userId }, state, browserToken);
    return this.asked(provider, () => provider.account({ code, state, iss }, visit));
  }

  /** What a provider says, its failures as ours. */
  private async asked<T>(provider: IdentityProvider, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      const reason = error instanceof Error ? error.message : '';
      this.logger.warn(`The sign-in with ${provider.id} failed: ${reason}`);
      if (!(error instanceof ProviderUnavailable)) throw visitUnknown(error);
      throw new ApplicationError(
        'PROVIDER_UNAVAILABLE',
        `${provider.name} does not answer right now: begin again in a moment, or sign in another way.`,
        { retryAfterSeconds: 10, cause: error },
      );
    }
  }

  /** The user whom an account at a provider signs in to. */
  private async userOf(
    tx: EntityManager,
    provider: IdentityProvider,
    account: ProviderAccount,
    device: Device,
  ): Promise<User> {
    const { subject, verifiedEmail: email } = account;
    const linked = await this.identities.userOf(tx, provider.issuer, subject);
    if (linked !== undefined) return tx.findOneByOrFail(User, { id: linked });
    // Anybody can write any address into a profile.
    if (email === undefined) throw addressNotVerified(provider);
    const owner = await tx.findOne(User, { where: { email }, lock: { mode: 'for_no_key_update' } });
    if (owner && !(await this.isEnterable(tx, owner))) throw addressTaken(provider);
    const user = owner ?? (await this.register(tx, email, account, device));
    await this.addLink(tx, provider, { subject, userId: user.id, device, isNew: !owner });
    return user;
  }

  /** Whether a link may be added to an account by its address alone. */
  private async isEnterable(tx: EntityManager, owner: User): Promise<boolean> {
    if (!owner.emailVerifiedAt || owner.isAdmin) return false;
    // Half a sign-in is not to add a way into an account that wants two steps.
    return (await this.factors.methods(tx, owner.id)).length === 0;
  }

  private async register(
    tx: EntityManager,
    email: string,
    { name = '' }: ProviderAccount,
    device: Device,
  ): Promise<User> {
    await this.users.countRegistration(tx, device.ip);
    const now = this.clock.now();
    return this.users.add(tx, {
      email,
      fullName: usableName(name),
      passwordHash: null,
      requestedRole: 'student',
      timezone: 'UTC',
      locale: requestContext.current()?.locale ?? 'en',
      emailVerifiedAt: now,
      createdAt: now,
    });
  }

  private async addLink(
    tx: EntityManager,
    provider: IdentityProvider,
    link: { subject: string; userId: number; device: Device; actor?: Caller; isNew?: boolean },
  ): Promise<void> {
    const { subject, userId, device, actor, isNew = false } = link;
    const { issuer } = provider;
    await this.identities.link(tx, { issuer, subject, userId, now: this.clock.now() });
    await this.audit.record(tx, {
      action: isNew ? 'provider.register' : 'provider.link',
      actorId: userId,
      sessionId: actor?.session_id,
      device,
      detail: { provider: provider.id },
    });
    if (isNew) return;
    // Nobody is to gain a way into an account without its user noticing.
    await this.outbox.add(tx, userProviderLinked, userId, {
      user_id: userId,
      provider_name: provider.name,
    });
  }

  /** Runs an act and records when it is refused. */
  private async audited<T>(
    act: {
      action: 'provider.sign_in' | 'provider.link' | 'provider.unlink';
      provider: IdentityProvider;
      device: Device;
      actor?: Caller;
    },
    run: () => Promise<T>,
  ): Promise<T> {
    try {
      return await this.failures.limit(act.device.ip, failureLimit, 'INVALID_TOKEN', run);
    } catch (error) {
      await this.audit.noteRefusal(error, {
        action: act.action,
        actorId: act.actor?.user_id ?? null,
        sessionId: act.actor?.session_id,
        device: act.device,
        detail: { provider: act.provider.id },
      });
      throw error;
    }
  }
}

/** What the owner of an account at a provider calls themselves, unless nobody may be called so here. */
function usableName(given: string): string {
  const name = given.trim();
  const length = Array.from(name).length;
  const isUsable = length >= 1 && length <= 120 && name.isWellFormed() && !nameFault(name);
  return isUsable ? name : 'MentorHub member';
}

function addressNotVerified({ name }: IdentityProvider): ApplicationError {
  return new ApplicationError(
    'EMAIL_NOT_VERIFIED',
    `${name} has not verified the email address of this account: verify it there, then begin again.`,
  );
}

/**
 * The address has an account whose user is not known to be the one who has the mailbox, one that may do more than others,
 * or one with a second factor: such a one links the provider from inside.
 */
function addressTaken({ name }: IdentityProvider): ApplicationError {
  return new ApplicationError(
    'EMAIL_TAKEN',
    `The email address of this account has an account here already: sign in to that one another way, by “forgot password” if need be, and link ${name} there.`,
  );
}

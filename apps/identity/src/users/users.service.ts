import {
  type Caller,
  ApplicationError,
  type Contact,
  type Device,
  type UserSummary,
  type ProfileView,
  type RegisterUser,
  type UpdateProfile,
  type UserCard,
  userRegistered,
  userUpdated,
  type UserView,
} from '@mentorhub/contracts';
import { Outbox, requestContext } from '@mentorhub/messaging';
import { isUniqueViolation, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AccountMails } from '../account-mails/account-mails.js';
import { AuditTrail } from '../audit/audit-trail.js';
import type { IdentityConfig } from '../config.js';
import { NetworkCounters, type NetworkLimit } from '../limits/network-counters.js';
import { sourceOf } from '../limits/source.js';
import type { Owner } from '../passwords/password-rules.js';
import { Passwords } from '../passwords/passwords.js';
import { isReservedUsername } from './reserved-usernames.js';
import type { User } from './user.entity.js';
import { toContact, toUserSummary, toProfileView, toUserCard, toUserView } from './user.views.js';
import {
  type NewUser,
  usernameReserved,
  UsersRepository,
  usernameTaken,
} from './users.repository.js';

const mostPeople = 200;
/** How long an address may be registered without being verified. */
const verificationWeekMs = 7 * 86_400_000;

@Injectable()
export class UsersService {
  constructor(
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly mails: AccountMails,
    private readonly audit: AuditTrail,
    private readonly networks: NetworkCounters,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: IdentityConfig,
  ) {}

  /**
   * Opens an account and asks for the verification mail. Unless the address is verified, the account expires after a
   * week.
   * @throws ApplicationError EMAIL_TAKEN, USERNAME_TAKEN, VALIDATION_FAILED for a weak password, RATE_LIMITED,
   *   OVERLOADED
   */
  async register(request: RegisterUser & { device: Device }): Promise<UserView> {
    const email = request.email.toLowerCase();
    const { full_name: fullName, username } = request;
    if (username !== undefined && isReservedUsername(username)) throw usernameReserved();
    const passwordHash = await this.hashForRegistration(request.device.ip, request.password, {
      email,
      fullName,
      username,
    });
    const createdAt = this.clock.now();
    const user = await this.transactions.run(async (tx) => {
      const registered = await this.add(tx, {
        email,
        fullName,
        username,
        passwordHash,
        requestedRole: request.role,
        timezone: request.timezone ?? 'UTC',
        locale: request.locale ?? requestContext.current()?.locale ?? 'en',
        createdAt,
        verifyBy: new Date(createdAt.getTime() + verificationWeekMs),
      });
      await this.mails.request(tx, registered.id, 'verify_email');
      await this.audit.record(tx, {
        action: 'user.register',
        actorId: registered.id,
        device: request.device,
      });
      return registered;
    });
    return toUserView(user);
  }

  /** Stores a user and publishes it. */
  async add(tx: EntityManager, newUser: NewUser): Promise<User> {
    const user = await this.users.insert(tx, newUser);
    await this.outbox.add(tx, userRegistered, user.id, {
      ...toUserSummary(user),
      role: user.requestedRole,
      locale: user.locale,
      timezone: user.timezone,
    });
    return user;
  }

  /**
   * Registrations have a limit per network, as each costs a hash and a mail. They are counted in their turn, so that
   * one which meets an overload does not count, and a flood of them does not take the database from sign-ins.
   */
  private hashForRegistration(ip: string, password: string, owner: Owner): Promise<string> {
    return this.passwords.hash(password, owner, () =>
      this.transactions.run((tx) => this.countRegistration(tx, ip)),
    );
  }

  /**
   * Counts a registration against the limit of its network.
   * @throws ApplicationError RATE_LIMITED
   */
  countRegistration(tx: EntityManager, ip: string): Promise<void> {
    const limit: NetworkLimit = {
      kind: 'registration',
      most: this.config.REGISTRATIONS_PER_HOUR,
      windowMs: 3_600_000,
      what: 'registrations',
    };
    return this.networks.count(tx, sourceOf(ip), limit);
  }

  async me(actor: Caller): Promise<ProfileView> {
    return toProfileView(await this.users.byId(actor.user_id));
  }

  /**
   * Changes what is given. An empty `bio`, or `null` for `bio` or `phone`, clears it.
   * @throws ApplicationError USERNAME_TAKEN
   */
  async updateMe(actor: Caller, changes: UpdateProfile): Promise<ProfileView> {
    try {
      return await this.transactions.run(async (tx) => {
        const user = await this.users.lock(tx, actor.user_id);
        user.fullName = changes.full_name ?? user.fullName;
        if (changes.username !== undefined && changes.username !== user.username) {
          if (!user.isAdmin && isReservedUsername(changes.username)) throw usernameReserved();
          user.username = changes.username;
        }
        user.timezone = changes.timezone ?? user.timezone;
        user.locale = changes.locale ?? user.locale;
        if (changes.bio !== undefined) user.bio = changes.bio || null;
        if (changes.phone !== undefined) user.phone = changes.phone;
        await this.saveChanges(tx, user);
        return toProfileView(user);
      });
    } catch (error) {
      if (isUniqueViolation(error, 'users_username_key')) throw usernameTaken();
      throw error;
    }
  }

  /** Stores a locked user with changes to the profile, and publishes it. */
  async saveChanges(tx: EntityManager, user: User): Promise<void> {
    await tx.save(user);
    await this.outbox.add(tx, userUpdated, user.id, {
      ...toUserSummary(user),
      locale: user.locale,
      timezone: user.timezone,
    });
  }

  /** @throws ApplicationError NOT_FOUND */
  async card(id: number): Promise<UserCard> {
    return toUserCard(await this.users.activeById(id));
  }

  /** The known ones among at most 200 ids. */
  async people(ids: number[]): Promise<{ people: UserSummary[] }> {
    if (ids.length > mostPeople) {
      throw ApplicationError.invalid('ids', `ids must have at most ${mostPeople} entries.`);
    }
    return { people: (await this.users.byIds(ids)).map(toUserSummary) };
  }

  /** @throws ApplicationError NOT_FOUND */
  async contact(id: number): Promise<Contact> {
    return toContact(await this.users.byId(id));
  }
}

import {
  type AdminUser,
  type AdminUserPage,
  ApplicationError,
  type AuditAction,
  type ById,
  type Caller,
  type Device,
  type ListUsers,
  type UpdateUser,
  userDeactivated,
  userReactivated,
  userRoleChanged,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { StepUp } from '../auth/step-up.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { roleOf } from '../users/user.views.js';
import { lockAdministrators } from './lock-administrators.js';
import { toAdminUser, UserSearch } from './user-search.js';

type Request = UpdateUser & ById & { device: Device };

/** What is different after a change. */
interface Changes {
  role: boolean;
  activity: boolean;
  premium: boolean;
}

@Injectable()
export class AdminUsersService {
  constructor(
    private readonly search: UserSearch,
    private readonly stepUp: StepUp,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly transactions: Transactions,
  ) {}

  list(query: ListUsers): Promise<AdminUserPage> {
    return this.search.find(query);
  }

  /**
   * Changes what is given. A change of the role, and a deactivation, end all sessions of the user.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, FORBIDDEN, NOT_FOUND, VALIDATION_FAILED for a role that the user
   *   cannot get this way, WRONG_STATE for a role of one without a verified address, LAST_ADMINISTRATOR
   */
  async update(actor: Caller, request: Request): Promise<AdminUser> {
    try {
      await this.stepUp.require(actor);
      const { user, ended } = await this.transactions.run((tx) =>
        this.updateIn(tx, actor, request),
      );
      this.revocation.announce(ended);
      return toAdminUser(user);
    } catch (error) {
      if (error instanceof ApplicationError) await this.noteRefusal(actor, request, error);
      throw error;
    }
  }

  private async updateIn(
    tx: EntityManager,
    actor: Caller,
    request: Request,
  ): Promise<{ user: User; ended: EndedSession[] }> {
    const administrators = await lockAdministrators(tx);
    // The token may be older than the end of the rights.
    if (!administrators.includes(actor.user_id)) {
      throw new ApplicationError('FORBIDDEN', 'Only administrators may do this.');
    }
    await this.stepUp.requireIn(tx, actor);
    const user = await tx.findOne(User, {
      where: { id: request.id, erasedAt: IsNull() },
      lock: { mode: 'for_no_key_update' },
    });
    if (!user) throw ApplicationError.notFound('The user');
    const changes = apply(user, request);
    if (administrators.every((id) => id === user.id) && !(user.isAdmin && user.isActive)) {
      throw new ApplicationError(
        'LAST_ADMINISTRATOR',
        'This is the last active administrator: make somebody else one first.',
      );
    }
    await tx.save(user);
    await this.publish(tx, user, changes);
    await this.record(tx, actor, { user, changes, request });
    const endsSessions = changes.role || (changes.activity && !user.isActive);
    // After the change, so that a sign-in which waited for it is ended or refused.
    const ended = endsSessions ? await this.revocation.endIn(tx, { userIds: [user.id] }) : [];
    return { user, ended };
  }

  private async publish(tx: EntityManager, user: User, changes: Changes): Promise<void> {
    const fact = { user_id: user.id };
    if (changes.role) {
      await this.outbox.add(tx, userRoleChanged, user.id, { ...fact, role: roleOf(user) });
    }
    if (changes.activity) {
      await this.outbox.add(tx, user.isActive ? userReactivated : userDeactivated, user.id, fact);
    }
  }

  private async record(
    tx: EntityManager,
    actor: Caller,
    { user, changes, request }: { user: User; changes: Changes; request: Request },
  ): Promise<void> {
    const acts: [boolean, AuditAction, Record<string, string | boolean>][] = [
      [changes.role, 'user.role', { role: roleOf(user) }],
      [changes.activity, user.isActive ? 'user.reactivate' : 'user.deactivate', {}],
      [changes.premium, 'user.premium', { is_premium: user.isPremium }],
    ];
    for (const [done, action, detail] of acts) {
      if (!done) continue;
      await this.audit.record(tx, {
        action,
        actorId: actor.user_id,
        userId: user.id,
        sessionId: actor.session_id,
        device: request.device,
        detail,
      });
    }
  }

  private noteRefusal(actor: Caller, request: Request, { code }: ApplicationError): Promise<void> {
    return this.audit.note({
      action: 'user.administer',
      outcome: 'failure',
      actorId: actor.user_id,
      userId: request.id,
      sessionId: actor.session_id,
      device: request.device,
      detail: { code },
    });
  }
}

/** @throws ApplicationError VALIDATION_FAILED, WRONG_STATE */
function apply(user: User, { role, is_active, is_premium }: UpdateUser): Changes {
  const before = { isAdmin: user.isAdmin, isActive: user.isActive, isPremium: user.isPremium };
  if (role !== undefined) user.isAdmin = isAdministrator(user, role);
  user.isActive = is_active ?? user.isActive;
  user.isPremium = is_premium ?? user.isPremium;
  return {
    role: user.isAdmin !== before.isAdmin,
    activity: user.isActive !== before.isActive,
    premium: user.isPremium !== before.isPremium,
  };
}

/** Whether a user with that role is an administrator; nothing but that follows from the role. */
function isAdministrator(user: User, role: NonNullable<UpdateUser['role']>): boolean {
  if (role === 'admin') {
    // Whoever registered the address may not be its owner.
    if (!user.isAdmin && !user.emailVerifiedAt) {
      throw new ApplicationError(
        'WRONG_STATE',
        'The email address of this user is not verified: the user has to do that first.',
      );
    }
    return true;
  }
  const own = user.isMentor ? 'mentor' : 'student';
  if (role === own) return false;
  throw ApplicationError.invalid(
    'role',
    `role must be admin or ${own}: mentor rights come with an approved mentor profile alone.`,
  );
}

import {
  type Caller,
  type Device,
  type ListMembers,
  type MemberPage,
  type MemberRow,
  paging,
  type RowsImported,
  toPage,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { StepUp } from '../auth/step-up.js';
import { MembersRepository } from './members.repository.js';
import { membershipRoles } from './membership-roles.js';

/** The directory of those who may sign in without having registered. */
@Injectable()
export class MembersService {
  constructor(
    private readonly members: MembersRepository,
    private readonly stepUp: StepUp,
    private readonly audit: AuditTrail,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  async list(query: ListMembers): Promise<MemberPage> {
    const words = query.q?.trim().split(/\s+/) ?? [];
    const { members, total } = await this.members.search(words, paging(query));
    const items = members.map((member) => {
      const { isMentor, isMentee } = membershipRoles(member.membershiptype);
      return {
        email: member.email,
        first_name: member.firstName,
        last_name: member.lastName,
        membershiptype: member.membershiptype,
        is_mentor: isMentor,
        is_mentee: isMentee,
        user_id: member.userId,
        updated_at: member.updatedAt.toISOString(),
      };
    });
    return toPage(items, total, query);
  }

  /**
   * Begins an import: whoever is in the directory may sign in, and mentors in it are approved.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  async beginImport(actor: Caller, device: Device): Promise<{ import_id: string }> {
    await this.stepUp.require(actor);
    const id = await this.transactions.run(async (tx) => {
      await this.audit.record(tx, {
        action: 'members.import_begin',
        actorId: actor.user_id,
        sessionId: actor.session_id,
        userId: null,
        device,
      });
      return this.members.begin(tx, actor.user_id, this.clock.now());
    });
    return { import_id: id };
  }

  /** @throws ApplicationError NOT_FOUND when there is no such import of the actor */
  importRows(
    actor: Caller,
    { import_id: id, rows }: { import_id: string; rows: MemberRow[] },
  ): Promise<RowsImported> {
    return this.transactions.run((tx) =>
      this.members.importRows(tx, { id, actorId: actor.user_id }, rows, this.clock.now()),
    );
  }

  /** @throws ApplicationError NOT_FOUND */
  async finishImport(
    actor: Caller,
    request: { import_id: string; complete: boolean; failed: number; device: Device },
  ): Promise<void> {
    const { import_id: id, complete, failed, device } = request;
    await this.transactions.run(async (tx) => {
      const { created, updated } = await this.members.finish(tx, id, actor.user_id);
      await this.audit.record(tx, {
        action: 'members.import',
        outcome: complete ? 'success' : 'failure',
        actorId: actor.user_id,
        sessionId: actor.session_id,
        userId: null,
        device,
        detail: { created, updated, failed },
      });
    });
  }
}

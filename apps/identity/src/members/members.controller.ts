import {
  type Caller,
  type Device,
  type ListMembers,
  type MemberRow,
  Members,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { MembersService } from './members.service.js';

@Controller()
export class MembersController {
  constructor(private readonly members: MembersService) {}

  @Handle(Members.list)
  list(_: Caller, query: ListMembers) {
    return this.members.list(query);
  }

  @Handle(Members.beginImport)
  beginImport(actor: Caller, { device }: { device: Device }) {
    return this.members.beginImport(actor, device);
  }

  @Handle(Members.importRows)
  importRows(actor: Caller, request: { import_id: string; rows: MemberRow[] }) {
    return this.members.importRows(actor, request);
  }

  @Handle(Members.finishImport)
  finishImport(
    actor: Caller,
    request: { import_id: string; complete: boolean; failed: number; device: Device },
  ) {
    return this.members.finishImport(actor, request);
  }
}

import {
  AdminUsers,
  type ById,
  type Caller,
  type Device,
  type ListUsers,
  type UpdateUser,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AdminUsersService } from './admin-users.service.js';

@Controller()
export class AdminUsersController {
  constructor(private readonly users: AdminUsersService) {}

  @Handle(AdminUsers.list)
  list(_: Caller, query: ListUsers) {
    return this.users.list(query);
  }

  @Handle(AdminUsers.update)
  update(actor: Caller, request: UpdateUser & ById & { device: Device }) {
    return this.users.update(actor, request);
  }
}

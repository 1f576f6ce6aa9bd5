import {
  type ById,
  type Caller,
  type Device,
  type RegisterUser,
  type UpdateProfile,
  Users,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { UsersService } from './users.service.js';

@Controller()
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Handle(Users.register)
  register(_: Caller | undefined, request: RegisterUser & { device: Device }) {
    return this.users.register(request);
  }

  @Handle(Users.me)
  me(actor: Caller) {
    return this.users.me(actor);
  }

  @Handle(Users.updateMe)
  updateMe(actor: Caller, changes: UpdateProfile) {
    return this.users.updateMe(actor, changes);
  }

  @Handle(Users.card)
  card(_: Caller, { id }: ById) {
    return this.users.card(id);
  }

  @Handle(Users.people)
  people(_: Caller | undefined, { ids }: { ids: number[] }) {
    return this.users.people(ids);
  }

  @Handle(Users.contact)
  contact(_: Caller | undefined, request: { user_id: number }) {
    return this.users.contact(request.user_id);
  }
}

import { AdminUsers, type Caller } from '@mentorhub/contracts';
import { AdminUser, AdminUserPage, ListUsers, UpdateUser } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Patch, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** Accounts, for administrators. */
@ApiTags('Administration')
@Controller('api/v1/admin/users')
export class AdminUsersController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(AdminUsers.list)
  @Summary(
    'Search for users',
    'The newest first. `total` counts up to 10 000, and no page leads beyond them.',
  )
  @Answers(200, AdminUserPage)
  list(@Actor() actor: Caller, @Query() query: ListUsers): Promise<RawReply> {
    return this.requests.forward(AdminUsers.list, actor, query);
  }

  @Patch(':id')
  @Sends(AdminUsers.update)
  @Summary(
    'Change an account',
    'Deactivates and reactivates it, makes its user an administrator or ends that, and sets premium. A change of the role and a deactivation end all sessions of the user, on every gateway. One active administrator has to stay.',
  )
  @Answers(200, AdminUser)
  @Fails('REAUTHENTICATION_REQUIRED', 'WRONG_STATE', 'LAST_ADMINISTRATOR')
  update(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: UpdateUser,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(AdminUsers.update, actor, Object.assign(request, { id, device }));
  }
}

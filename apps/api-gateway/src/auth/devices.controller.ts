import { type Caller, Sessions } from '@mentorhub/contracts';
import { PageQuery, SessionDevicePage } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Delete, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** Signed-in devices. */
@ApiTags('Sign-in')
@Controller('api/v1/auth/sessions')
export class DevicesController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Sessions.list)
  @Summary('List the signed-in devices', 'The last used first.')
  @Answers(200, SessionDevicePage)
  list(@Actor() actor: Caller, @Query() query: PageQuery): Promise<RawReply> {
    return this.requests.forward(Sessions.list, actor, query);
  }

  @Delete()
  @Sends(Sessions.revokeOthers)
  @Summary('Sign out all other devices', 'Their tokens stop working at once, on every gateway.')
  @Answers(204)
  revokeOthers(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Sessions.revokeOthers, actor, { device });
  }

  @Delete(':id')
  @Sends(Sessions.revoke)
  @Summary('Sign out one device')
  @Answers(204)
  revoke(
    @Actor() actor: Caller,
    @Id() id: number,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Sessions.revoke, actor, { id, device });
  }
}

import { Audit, type Caller } from '@mentorhub/contracts';
import { AuditPage, ListAuditEntries } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** The audit trail. */
@ApiTags('Administration')
@Controller('api/v1/admin/audit')
export class AdminAuditController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Audit.list)
  @Summary(
    'Read the audit trail',
    'The newest first. `total` counts up to 10 000, and no page leads beyond them: `from` and `to` show others. Reading is recorded, once for a session and ten minutes.',
  )
  @Answers(200, AuditPage)
  list(
    @Actor() actor: Caller,
    @Query() query: ListAuditEntries,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Audit.list, actor, Object.assign(query, { device }));
  }
}

import { type Caller, type Device as DeviceFacts, Members } from '@mentorhub/contracts';
import { ListMembers, MemberPage, MembersImported } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { CONFIG } from '@mentorhub/service-kit';
import { Controller, Get, Inject, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import type { ApiGatewayConfig } from '../config.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { TakesCsv, Upload } from '../uploads/upload.decorator.js';
import { uploadedFile } from '../uploads/uploaded-file.js';
import { MembersImport } from './members/members-import.js';

/** The members directory. */
@ApiTags('Administration')
@Controller('api/v1/admin/members')
export class AdminMembersController {
  constructor(
    private readonly requests: RequestClient,
    private readonly members: MembersImport,
    @Inject(CONFIG) private readonly config: ApiGatewayConfig,
  ) {}

  @Get()
  @Sends(Members.list)
  @Summary('List the members directory', 'By address.')
  @Answers(200, MemberPage)
  list(@Actor() actor: Caller, @Query() query: ListMembers): Promise<RawReply> {
    return this.requests.forward(Members.list, actor, query);
  }

  @Post('import')
  @Sends(Members.beginImport)
  @Summary(
    'Import members',
    'Adds the members of a CSV file, and changes those that are there. A row that cannot be taken is in `errors` and stops none of the others; importing the same file again changes nothing. `npm run members:import -- file.csv` does the same.',
  )
  @TakesCsv(
    'UTF-8; the first line names the columns email, first_name, last_name and membershiptype, in any order, with commas or semicolons between them.',
  )
  @Answers(200, MembersImported)
  @Fails('BODY_TOO_LARGE', 'MALFORMED_REQUEST', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED')
  import(
    @Actor() actor: Caller,
    @Upload() upload: FastifyRequest,
    @Device() device: DeviceFacts,
  ): Promise<MembersImported> {
    return this.members.run(actor, device, uploadedFile(upload, this.config.MAX_IMPORT_BYTES));
  }
}

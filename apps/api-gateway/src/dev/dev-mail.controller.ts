import { DevMail } from '@mentorhub/contracts';

import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { AnswersPage } from '../pages/page.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { CapturedMails, FindMails } from './dev-mail.dto.js';
import { devMailPage } from './dev-mail.page.js';
import { KnownHostGuard } from './known-host.guard.js';

/** Mails that were kept instead of sent. Part of the local profile only, and only under the names of this machine. */
@ApiTags('Development')
@Controller('dev')
@UseGuards(KnownHostGuard)
export class DevMailController {
  constructor(private readonly requests: RequestClient) {}

  @Get('mail')
  @Anonymous()
  @Summary('Show the captured mails as a page', 'The newest first, at most 100.')
  @AnswersPage('The mails, with their links.')
  @Fails('FORBIDDEN')
  async show(@Query() query: FindMails): Promise<string> {
    return devMailPage(await this.requests.request(DevMail.list, undefined, query));
  }

  @Get('mail.json')
  @Anonymous()
  @Summary('List the captured mails', 'The newest first, at most 100.')
  @Answers(200, CapturedMails)
  @Fails('FORBIDDEN')
  list(@Query() query: FindMails): Promise<RawReply> {
    return this.requests.forward(DevMail.list, undefined, query);
  }
}

import { type Caller, Mentors } from '@mentorhub/contracts';
import {
  ApplicationPage,
  ListApplications,
  MentorApplication,
  RejectMentor,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** Moderation of mentors. */
@ApiTags('Administration')
@Controller('api/v1/admin/mentors')
export class AdminMentorsController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Mentors.applications)
  @Summary('List applications of mentors')
  @Answers(200, ApplicationPage)
  list(@Actor() actor: Caller, @Query() query: ListApplications): Promise<RawReply> {
    return this.requests.forward(Mentors.applications, actor, query);
  }

  @Post(':id/approve')
  @Sends(Mentors.approve)
  @Summary('Approve a mentor')
  @Answers(200, MentorApplication)
  @Fails('WRONG_STATE')
  approve(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Mentors.approve, actor, { id });
  }

  @Post(':id/reject')
  @Sends(Mentors.reject)
  @Summary('Reject a mentor')
  @Answers(200, MentorApplication)
  @Fails('WRONG_STATE')
  reject(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: RejectMentor,
  ): Promise<RawReply> {
    return this.requests.forward(Mentors.reject, actor, Object.assign(request, { id }));
  }
}

import { type Caller, Mentors } from '@mentorhub/contracts';
import {
  ApplyAsMentor,
  FindSlots,
  ListMentors,
  MentorApplication,
  MentorDetails,
  MentorPage,
  SlotList,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Conditional } from '../routing/conditional.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

@ApiTags('Mentors')
@Controller('api/v1/mentors')
export class MentorsController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Mentors.list)
  @Conditional()
  @Summary('Find approved mentors')
  @Answers(200, MentorPage)
  list(@Actor() actor: Caller | undefined, @Query() query: ListMentors): Promise<RawReply> {
    return this.requests.forward(Mentors.list, actor, query);
  }

  @Get(':id')
  @Sends(Mentors.get)
  @Conditional()
  @Summary(
    'Show a mentor',
    'With the newest ten reviews; the email address only for mentees with a confirmed or completed booking.',
  )
  @Answers(200, MentorDetails)
  get(@Actor() actor: Caller | undefined, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Mentors.get, actor, { id });
  }

  @Get(':id/slots')
  @Sends(Mentors.slots)
  @Conditional()
  @Summary('List the starts that can be booked')
  @Answers(200, SlotList)
  slots(
    @Actor() actor: Caller | undefined,
    @Id() id: number,
    @Query() query: FindSlots,
  ): Promise<RawReply> {
    return this.requests.forward(Mentors.slots, actor, Object.assign(query, { id }));
  }

  @Post('apply')
  @Sends(Mentors.apply)
  @Summary('Apply as a mentor', 'An administrator approves or rejects.')
  @Answers(201, MentorApplication)
  @Fails('ALREADY_MENTOR', 'EMAIL_NOT_VERIFIED')
  apply(@Actor() actor: Caller, @Body() request: ApplyAsMentor): Promise<RawReply> {
    return this.requests.forward(Mentors.apply, actor, request);
  }
}

import { type Caller, MentorProfiles } from '@mentorhub/contracts';
import {
  ListMentorProfiles,
  MentorAvailability,
  MentorProfile,
  MentorProfilePage,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Conditional } from '../routing/conditional.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** Mentors as the Mansa surface shows them. */
@ApiTags('Mansa: mentors')
@Controller('api/v1/mentorship/mentors')
export class MentorProfilesController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(MentorProfiles.list)
  @Conditional()
  @Summary('Find mentor profiles')
  @Answers(200, MentorProfilePage)
  list(@Actor() actor: Caller | undefined, @Query() query: ListMentorProfiles): Promise<RawReply> {
    return this.requests.forward(MentorProfiles.list, actor, query);
  }

  @Get('my_profile')
  @Sends(MentorProfiles.mine)
  @Summary("Show one's own mentor profile")
  @Answers(200, MentorProfile)
  mine(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(MentorProfiles.mine, actor, {});
  }

  @Get(':id')
  @Sends(MentorProfiles.get)
  @Conditional()
  @Summary('Show a mentor profile')
  @Answers(200, MentorProfile)
  get(@Actor() actor: Caller | undefined, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(MentorProfiles.get, actor, { id });
  }

  @Get(':id/availability')
  @Sends(MentorProfiles.availability)
  @Conditional()
  @Summary("Show a mentor's rules of availability and the free slots of the next 30 days")
  @Answers(200, MentorAvailability)
  availability(@Actor() actor: Caller | undefined, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(MentorProfiles.availability, actor, { id });
  }
}

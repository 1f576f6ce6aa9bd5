import { Availability, type Caller } from '@mentorhub/contracts';
import { AvailabilityView, ReplaceAvailability } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** A mentor's own weekly hours and exceptions. */
@ApiTags('Mansa: mentors')
@Controller('api/v1/mentorship/availability')
export class AvailabilityController {
  constructor(private readonly requests: RequestClient) {}

  @Get('me')
  @Sends(Availability.mine)
  @Summary("Show one's own rules of availability")
  @Answers(200, AvailabilityView)
  @Fails('NOT_A_MENTOR')
  mine(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Availability.mine, actor, {});
  }

  @Post('me')
  @Sends(Availability.replace)
  @Summary(
    "Replace one's own rules of availability",
    'All at once; nothing changes when one is invalid.',
  )
  @Answers(200, AvailabilityView)
  @Fails('NOT_A_MENTOR')
  replace(@Actor() actor: Caller, @Body() request: ReplaceAvailability): Promise<RawReply> {
    return this.requests.forward(Availability.replace, actor, request);
  }
}

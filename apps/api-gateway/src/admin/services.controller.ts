import { type Caller, operations } from '@mentorhub/contracts';
import {
  DeadLetterPage,
  DeadLetterQuery,
  RepublishedEvents,
  RepublishEvents,
  RetriedDeadLetters,
  RetryDeadLetters,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Key } from '../routing/key.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

const service = {
  name: 'service',
  pattern: /^(identity|mentorship|chat|notifications|payments)$/,
  example: 'mentorship',
};

/** What operators may ask of every service: its parked events, and to publish events again. */
@ApiTags('Administration')
@Controller('api/v1/admin/services/:service')
export class AdminServicesController {
  constructor(private readonly requests: RequestClient) {}

  @Get('dead-letters')
  @Sends(operations(':service').deadLetters.list)
  @Summary('List the events that a service could not handle')
  @Answers(200, DeadLetterPage)
  deadLetters(
    @Actor() actor: Caller,
    @Key(service) name: string,
    @Query() query: DeadLetterQuery,
  ): Promise<RawReply> {
    return this.requests.forward(operations(name).deadLetters.list, actor, query);
  }

  @Post('dead-letters/retry')
  @Sends(operations(':service').deadLetters.retry)
  @Summary('Handle parked events again')
  @Answers(200, RetriedDeadLetters)
  retry(
    @Actor() actor: Caller,
    @Key(service) name: string,
    @Body() request: RetryDeadLetters,
  ): Promise<RawReply> {
    return this.requests.forward(operations(name).deadLetters.retry, actor, request);
  }

  @Post('events/republish')
  @Sends(operations(':service').outbox.republish)
  @Summary('Publish the events of a time range again', 'Handlers skip those they have handled.')
  @Answers(200, RepublishedEvents)
  republish(
    @Actor() actor: Caller,
    @Key(service) name: string,
    @Body() request: RepublishEvents,
  ): Promise<RawReply> {
    return this.requests.forward(operations(name).outbox.republish, actor, request);
  }
}

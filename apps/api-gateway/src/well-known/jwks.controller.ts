import { Keys } from '@mentorhub/contracts';

import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { Answers } from '../routing/answers.decorator.js';
import { Conditional } from '../routing/conditional.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { PublicKeys } from './jwks.dto.js';

@ApiTags('Sign-in')
@Controller('.well-known')
export class JwksController {
  constructor(private readonly requests: RequestClient) {}

  @Get('jwks.json')
  @Anonymous(Keys.list)
  @Conditional()
  @Summary('List the keys that verify access tokens', 'A JWK set, RFC 7517.')
  @Answers(200, PublicKeys)
  list(): Promise<RawReply> {
    return this.requests.forward(Keys.list, undefined, {});
  }
}

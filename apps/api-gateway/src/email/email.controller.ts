import { type Caller, EmailVerification } from '@mentorhub/contracts';
import {
  EmailVerified,
  SendVerification,
  VerificationSent,
  VerifyEmail,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous, Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

@ApiTags('Sign-in')
@Controller('api/v1/email')
export class EmailController {
  constructor(private readonly requests: RequestClient) {}

  @Post('send-verification')
  @Anonymous(EmailVerification.send)
  @Summary('Send the verification mail again', 'The answer is the same for an unknown address.')
  @Answers(200, VerificationSent)
  sendVerification(@Body() request: SendVerification): Promise<RawReply> {
    return this.requests.forward(EmailVerification.send, undefined, request);
  }

  @Post('verify-email')
  @Sends(EmailVerification.verify)
  @Summary(
    'Verify an email address',
    'With the token of the link in the mail, which works once, and proof that the account is yours: an access token of it, or its password in the body. A link alone is not enough: somebody else may have registered the address.',
  )
  @Answers(200, EmailVerified)
  @Fails('INVALID_TOKEN', 'UNAUTHENTICATED', 'INVALID_CREDENTIALS', 'RATE_LIMITED')
  verify(
    @Actor() actor: Caller | undefined,
    @Body() request: VerifyEmail,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      EmailVerification.verify,
      actor,
      Object.assign(request, { device }),
    );
  }
}

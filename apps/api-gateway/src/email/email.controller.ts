import { EmailVerification } from '@mentorhub/contracts';
import {
  EmailVerified,
  SendVerification,
  VerificationSent,
  VerifyEmail,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

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
  @Anonymous(EmailVerification.verify)
  @Summary('Verify a email address', 'With the token of the link in the mail, which works once.')
  @Answers(200, EmailVerified)
  @Fails('INVALID_TOKEN')
  verify(@Body() request: VerifyEmail): Promise<RawReply> {
    return this.requests.forward(EmailVerification.verify, undefined, request);
  }
}

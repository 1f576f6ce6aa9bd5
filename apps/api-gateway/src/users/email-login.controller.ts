import { EmailLogin } from '@mentorhub/contracts';
import {
  CodeRequested,
  EmailLoginAnswer,
  RequestEmailLogin,
  VerifyEmailLogin,
  VerifySecondFactor,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Anonymous } from '../authentication/access.decorators.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { EmailLoginCookie } from './email-login-cookie.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** Sign-in with an email address alone, by the addresses and names of the Mansa surface. */
@ApiTags('Sign-in')
@Controller('api/users/email-login')
export class EmailLoginController {
  constructor(
    private readonly requests: RequestClient,
    private readonly cookie: EmailLoginCookie,
  ) {}

  @Post()
  @Anonymous(EmailLogin.request)
  @Summary(
    'Ask for a code to sign in with',
    'A mail with a code and a link goes to those who have an account or are in the members directory; the answer is the same for everybody. Both work for ten minutes, five tries and one use, in this browser alone, which gets a cookie for it. At most one mail an address and minute. With `EMAIL_LOGIN=trusted`, whoever names an address is signed in at once, with 200, or 404 for an unknown one.',
  )
  @Answers(202, CodeRequested)
  @ApiResponse({ status: 200, type: EmailLoginAnswer, description: 'Signed in.' })
  @Fails('RATE_LIMITED', 'NOT_FOUND', 'FORBIDDEN', 'MFA_REQUIRED')
  async request(
    @Body() body: RequestEmailLogin,
    @Device() device: DeviceFacts,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CodeRequested | EmailLoginAnswer> {
    const browser_token = this.cookie.readOrMake(request);
    const answer = await this.requests.request(
      EmailLogin.request,
      undefined,
      Object.assign(body, { browser_token, device }),
    );
    if ('access' in answer) reply.status(200);
    else this.cookie.set(reply, browser_token, answer.expires_in);
    return answer;
  }

  @Post('verify')
  @Anonymous(EmailLogin.verify)
  @Summary(
    'Sign in with the code or the link of the mail',
    '`email` and `code`, or the `token` of the link. The first time, a member gets an account. `redirect_to` is the page for the user.',
  )
  @Answers(200, EmailLoginAnswer)
  @Fails(
    'INVALID_CODE',
    'INVALID_TOKEN',
    'MFA_REQUIRED',
    'FORBIDDEN',
    'EMAIL_TAKEN',
    'RATE_LIMITED',
  )
  async verify(
    @Body() body: VerifyEmailLogin,
    @Device() device: DeviceFacts,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EmailLoginAnswer> {
    const browser_token = this.cookie.read(request);
    const answer = await this.requests.request(
      EmailLogin.verify,
      undefined,
      Object.assign(body, { browser_token, device }),
    );
    this.cookie.clear(reply);
    return answer;
  }

  @Post('second-factor')
  @Anonymous(EmailLogin.verifySecondFactor)
  @Summary(
    'Complete the sign-in to an account with a second factor',
    'As `POST /api/v1/auth/mfa/verify`, with the `challenge` of the answer `MFA_REQUIRED` and exactly one of `code`, `recovery_code` and `passkey`.',
  )
  @Answers(200, EmailLoginAnswer)
  @Fails('INVALID_TOKEN', 'INVALID_CODE', 'INVALID_PASSKEY', 'FORBIDDEN', 'RATE_LIMITED')
  verifySecondFactor(
    @Body() request: VerifySecondFactor,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      EmailLogin.verifySecondFactor,
      undefined,
      Object.assign(request, { device }),
    );
  }
}

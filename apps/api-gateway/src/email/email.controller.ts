import {
  type Caller,
  EmailChanges,
  EmailVerification,
  PasswordChanges,
} from '@mentorhub/contracts';
import {
  ConfirmEmailChange,
  EmailChanged,
  EmailVerified,
  ForgotPassword,
  PasswordReset,
  ResetPassword,
  ResetSent,
  SendVerification,
  UndoEmailChange,
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
  @Fails('RATE_LIMITED')
  sendVerification(
    @Body() request: SendVerification,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      EmailVerification.send,
      undefined,
      Object.assign(request, { device }),
    );
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

  @Post('forgot-password')
  @Anonymous(PasswordChanges.forgot)
  @Summary(
    'Send a link that sets a new password',
    'The answer is the same for an unknown address. The pauses between the mails to an address grow from a minute to an hour.',
  )
  @Answers(200, ResetSent)
  @Fails('RATE_LIMITED')
  forgotPassword(
    @Body() request: ForgotPassword,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      PasswordChanges.forgot,
      undefined,
      Object.assign(request, { device }),
    );
  }

  @Post('reset-password')
  @Anonymous(PasswordChanges.reset)
  @Summary(
    'Set a new password with the token of a mail',
    'The token works once, for an hour, until a newer mail or another change of the password; a password that is refused does not use it up. Verifies the address and signs out every device.',
  )
  @Answers(200, PasswordReset)
  @Fails('INVALID_TOKEN', 'RATE_LIMITED', 'OVERLOADED')
  resetPassword(@Body() request: ResetPassword, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(
      PasswordChanges.reset,
      undefined,
      Object.assign(request, { device }),
    );
  }

  @Post('confirm-change')
  @Sends(EmailChanges.confirm)
  @Summary(
    'Confirm a new email address',
    'With the token of the link in the mail to the new address, and proof that the account is yours: an access token of it, or its password in the body. The old address, if it was verified, gets a mail with a link that undoes the change.',
  )
  @Answers(200, EmailChanged)
  @Fails('INVALID_TOKEN', 'UNAUTHENTICATED', 'INVALID_CREDENTIALS', 'EMAIL_TAKEN', 'RATE_LIMITED')
  confirmChange(
    @Actor() actor: Caller | undefined,
    @Body() request: ConfirmEmailChange,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(EmailChanges.confirm, actor, Object.assign(request, { device }));
  }

  @Post('undo-change')
  @Anonymous(EmailChanges.undo)
  @Summary(
    'Take the old email address back',
    'With the token of the link in the mail to the old address, within 72 hours of the change. Signs out every device; the password stops working, and a mail to the address leads to a new one.',
  )
  @Answers(200, EmailChanged)
  @Fails('INVALID_TOKEN', 'RATE_LIMITED')
  undoChange(@Body() request: UndoEmailChange, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(EmailChanges.undo, undefined, Object.assign(request, { device }));
  }
}

import {
  type Caller,
  type Device,
  EmailVerification,
  type SendVerification,
  type VerifyEmail,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { EmailVerificationService } from './email-verification.service.js';

@Controller()
export class EmailVerificationController {
  constructor(private readonly verification: EmailVerificationService) {}

  @Handle(EmailVerification.send)
  send(_: Caller | undefined, request: SendVerification & { device: Device }) {
    return this.verification.send(request);
  }

  @Handle(EmailVerification.verify)
  verify(actor: Caller | undefined, request: VerifyEmail & { device: Device }) {
    return this.verification.verify(actor, request);
  }
}

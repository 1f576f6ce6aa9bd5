import {
  type Caller,
  type Device,
  EmailLogin,
  type RequestEmailLogin,
  type VerifyEmailLogin,
  type VerifySecondFactor,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SignIns } from '../auth/sign-ins.js';
import { ReauthenticationCodes } from '../mailed-codes/reauthentication-codes.js';
import { SecondStep } from '../second-factor/second-step.js';
import { EmailLoginService } from './email-login.service.js';
import { toEmailLoginAnswer } from './mansa-user.js';

@Controller()
export class EmailLoginController {
  constructor(
    private readonly emailLogin: EmailLoginService,
    private readonly reauthentication: ReauthenticationCodes,
    private readonly secondStep: SecondStep,
    private readonly signIns: SignIns,
  ) {}

  @Handle(EmailLogin.request)
  request(
    _: Caller | undefined,
    request: RequestEmailLogin & { browser_token: string; device: Device },
  ) {
    return this.emailLogin.request(request);
  }

  @Handle(EmailLogin.verify)
  verify(
    _: Caller | undefined,
    request: VerifyEmailLogin & { browser_token: string | null; device: Device },
  ) {
    return this.emailLogin.verify(request);
  }

  @Handle(EmailLogin.verifySecondFactor)
  async verifySecondFactor(
    _: Caller | undefined,
    request: VerifySecondFactor & { device: Device },
  ) {
    const opened = await this.secondStep.verify(request);
    return toEmailLoginAnswer(await this.signIns.answer(opened), opened.user);
  }

  @Handle(EmailLogin.requestReauthentication)
  requestReauthentication(actor: Caller, { device }: { device: Device }) {
    return this.reauthentication.send(actor, device);
  }
}

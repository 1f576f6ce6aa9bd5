import {
  type Caller,
  type Device,
  EmailLogin,
  type RequestEmailLogin,
  type VerifyEmailLogin,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { ReauthenticationCodes } from '../mailed-codes/reauthentication-codes.js';
import { EmailLoginService } from './email-login.service.js';

@Controller()
export class EmailLoginController {
  constructor(
    private readonly emailLogin: EmailLoginService,
    private readonly reauthentication: ReauthenticationCodes,
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

  @Handle(EmailLogin.requestReauthentication)
  requestReauthentication(actor: Caller, { device }: { device: Device }) {
    return this.reauthentication.send(actor, device);
  }
}

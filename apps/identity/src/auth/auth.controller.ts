import {
  Auth,
  type Caller,
  type Device,
  type Login,
  Reauthentication as ReauthenticationRequests,
  type Reauthenticate,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AuthService } from './auth.service.js';
import { Reauthentication } from './reauthentication.js';
import { StepUp } from './step-up.js';

@Controller()
export class AuthController {
  constructor(
    private readonly auth: AuthService,
    private readonly reauthentication: Reauthentication,
    private readonly stepUp: StepUp,
  ) {}

  @Handle(Auth.login)
  login(_: Caller | undefined, request: Login & { device: Device }) {
    return this.auth.login(request);
  }

  @Handle(Auth.refresh)
  refresh(_: Caller | undefined, request: { refresh_token: string; device: Device }) {
    return this.auth.refresh(request);
  }

  @Handle(Auth.logout)
  logout(actor: Caller, { device }: { device: Device }) {
    return this.auth.logout(actor, device);
  }

  @Handle(Auth.logoutAll)
  logoutAll(actor: Caller, { device }: { device: Device }) {
    return this.auth.logoutAll(actor, device);
  }

  @Handle(Auth.reauthenticate)
  reauthenticate(actor: Caller, request: Reauthenticate & { device: Device }) {
    return this.reauthentication.accept(actor, request);
  }

  @Handle(ReauthenticationRequests.check)
  checkReauthentication(_: Caller | undefined, request: { session_id: number }) {
    return this.stepUp.requireOf(request.session_id);
  }
}

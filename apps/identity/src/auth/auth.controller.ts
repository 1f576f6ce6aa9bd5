import { Auth, type Caller, type Device, type Login } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AuthService } from './auth.service.js';

@Controller()
export class AuthController {
  constructor(private readonly auth: AuthService) {}

  @Handle(Auth.login)
  login(_: Caller | undefined, request: Login & { device: Device }) {
    return this.auth.login(request);
  }

  @Handle(Auth.refresh)
  refresh(_: Caller | undefined, request: { refresh_token: string; device: Device }) {
    return this.auth.refresh(request);
  }

  @Handle(Auth.logout)
  logout(actor: Caller) {
    return this.auth.logout(actor);
  }

  @Handle(Auth.logoutAll)
  logoutAll(actor: Caller) {
    return this.auth.logoutAll(actor);
  }
}

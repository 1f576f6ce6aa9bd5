import {
  type Caller,
  type ChangePassword,
  type Device,
  type ForgotPassword,
  PasswordChanges,
  type ResetPassword,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { PasswordChangesService } from './password-changes.service.js';

@Controller()
export class PasswordChangesController {
  constructor(private readonly passwords: PasswordChangesService) {}

  @Handle(PasswordChanges.forgot)
  forgot(_: Caller | undefined, request: ForgotPassword & { device: Device }) {
    return this.passwords.forgot(request);
  }

  @Handle(PasswordChanges.reset)
  reset(_: Caller | undefined, request: ResetPassword & { device: Device }) {
    return this.passwords.reset(request);
  }

  @Handle(PasswordChanges.change)
  change(actor: Caller, request: ChangePassword & { device: Device }) {
    return this.passwords.change(actor, request);
  }
}

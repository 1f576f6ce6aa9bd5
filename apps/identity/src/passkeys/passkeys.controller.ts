import {
  type AddPasskey,
  type ById,
  type Caller,
  type Device,
  type PasskeySignIn,
  Passkeys,
  type RenamePasskey,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { PasskeysService } from './passkeys.service.js';

@Controller()
export class PasskeysController {
  constructor(private readonly passkeys: PasskeysService) {}

  @Handle(Passkeys.registrationOptions)
  registrationOptions(actor: Caller) {
    return this.passkeys.registrationOptions(actor);
  }

  @Handle(Passkeys.add)
  add(actor: Caller, request: AddPasskey & { device: Device }) {
    return this.passkeys.add(actor, request);
  }

  @Handle(Passkeys.list)
  list(actor: Caller) {
    return this.passkeys.list(actor);
  }

  @Handle(Passkeys.rename)
  rename(actor: Caller, request: RenamePasskey & ById & { device: Device }) {
    return this.passkeys.rename(actor, request);
  }

  @Handle(Passkeys.remove)
  remove(actor: Caller, request: ById & { device: Device }) {
    return this.passkeys.remove(actor, request);
  }

  @Handle(Passkeys.signInOptions)
  signInOptions(_: Caller | undefined, { device }: { device: Device }) {
    return this.passkeys.signInOptions(device);
  }

  @Handle(Passkeys.signIn)
  signIn(_: Caller | undefined, request: PasskeySignIn & { device: Device }) {
    return this.passkeys.signIn(request);
  }

  @Handle(Passkeys.confirmationOptions)
  confirmationOptions(actor: Caller) {
    return this.passkeys.confirmationOptions(actor);
  }
}

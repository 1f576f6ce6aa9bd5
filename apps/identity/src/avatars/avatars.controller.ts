import { Avatars, type Caller, type Device } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AvatarsService } from './avatars.service.js';

@Controller()
export class AvatarsController {
  constructor(private readonly avatars: AvatarsService) {}

  @Handle(Avatars.admit)
  admit(_: Caller | undefined, { user_id }: { user_id: number }) {
    return this.avatars.admit(user_id);
  }

  @Handle(Avatars.replace)
  replace(actor: Caller, request: { image: string; device: Device }) {
    return this.avatars.replace(actor, request);
  }

  @Handle(Avatars.remove)
  remove(actor: Caller, { device }: { device: Device }) {
    return this.avatars.remove(actor, device);
  }

  @Handle(Avatars.read)
  read(_: Caller | undefined, { key }: { key: string }) {
    return this.avatars.read(key);
  }
}

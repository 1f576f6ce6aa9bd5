import { type Caller, type Device, Providers, type Returned } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { ProvidersService } from './providers.service.js';

interface AtProvider {
  provider: string;
  device: Device;
}

@Controller()
export class ProvidersController {
  constructor(private readonly providers: ProvidersService) {}

  @Handle(Providers.list)
  list() {
    return this.providers.list();
  }

  @Handle(Providers.start)
  start(_: Caller | undefined, { provider, device }: AtProvider) {
    return this.providers.start(provider, device);
  }

  @Handle(Providers.signIn)
  signIn(_: Caller | undefined, request: Returned) {
    return this.providers.signIn(request);
  }

  @Handle(Providers.linked)
  linked(actor: Caller) {
    return this.providers.linked(actor);
  }

  @Handle(Providers.startLink)
  startLink(actor: Caller, { provider, device }: AtProvider) {
    return this.providers.startLink(actor, provider, device);
  }

  @Handle(Providers.link)
  link(actor: Caller, request: Returned) {
    return this.providers.link(actor, request);
  }

  @Handle(Providers.unlink)
  unlink(actor: Caller, { provider, device }: AtProvider) {
    return this.providers.unlink(actor, provider, device);
  }
}

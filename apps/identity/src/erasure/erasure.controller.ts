import { type Caller, type Device, Erasure } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { ErasureService } from './erasure.service.js';

@Controller()
export class ErasureController {
  constructor(private readonly erasure: ErasureService) {}

  @Handle(Erasure.erase)
  erase(actor: Caller, { device }: { device: Device }) {
    return this.erasure.erase(actor, device);
  }
}

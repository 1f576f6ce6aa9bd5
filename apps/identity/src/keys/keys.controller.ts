import { Keys } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SigningKeys } from './signing-keys.js';

@Controller()
export class KeysController {
  constructor(private readonly keys: SigningKeys) {}

  @Handle(Keys.list)
  async list() {
    return { keys: await this.keys.list() };
  }
}

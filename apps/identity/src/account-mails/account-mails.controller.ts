import { type AccountMailRequest, AccountMails, type Caller } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AccountMailRegistry } from './account-mail-registry.js';

@Controller()
export class AccountMailsController {
  constructor(private readonly registry: AccountMailRegistry) {}

  @Handle(AccountMails.mint)
  mint(_: Caller | undefined, request: AccountMailRequest) {
    return this.registry.mint(request);
  }
}

import { Module } from '@nestjs/common';
import { AccountMailRegistry } from './account-mail-registry.js';
import { AccountMailsController } from './account-mails.controller.js';
import { AccountMails } from './account-mails.js';
import { MailPauses } from './mail-pauses.js';
import { MailTokens } from './mail-tokens.js';

@Module({
  controllers: [AccountMailsController],
  providers: [AccountMailRegistry, AccountMails, MailPauses, MailTokens],
  exports: [AccountMailRegistry, AccountMails, MailPauses, MailTokens],
})
export class AccountMailsModule {}

import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { FactorsModule } from '../second-factor/factors.module.js';
import { UsersModule } from '../users/users.module.js';
import { MailedCodes } from './mailed-codes.js';
import { ReauthenticationCodes } from './reauthentication-codes.js';

@Module({
  imports: [AccountMailsModule, AuditModule, FactorsModule, UsersModule],
  providers: [MailedCodes, ReauthenticationCodes],
  exports: [MailedCodes, ReauthenticationCodes],
})
export class MailedCodesModule {}

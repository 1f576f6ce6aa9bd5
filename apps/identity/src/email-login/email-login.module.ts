import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { EmailChangesModule } from '../email-changes/email-changes.module.js';
import { MailLimits } from '../limits/mail-limits.js';
import { MailedCodesModule } from '../mailed-codes/mailed-codes.module.js';
import { MembersModule } from '../members/members.module.js';
import { SecondFactorModule } from '../second-factor/second-factor.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { EmailLoginController } from './email-login.controller.js';
import { EmailLoginService } from './email-login.service.js';
import { MemberSignUps } from './member-sign-ups.js';
import { ReclaimedAccounts } from './reclaimed-accounts.js';

@Module({
  imports: [
    AccountMailsModule,
    AuditModule,
    AuthModule,
    EmailChangesModule,
    MailedCodesModule,
    MembersModule,
    SecondFactorModule,
    SessionsModule,
    UsersModule,
  ],
  controllers: [EmailLoginController],
  providers: [EmailLoginService, MailLimits, MemberSignUps, ReclaimedAccounts],
})
export class EmailLoginModule {}

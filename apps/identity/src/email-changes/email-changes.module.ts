import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { MailLimits } from '../limits/mail-limits.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { EmailChangesController } from './email-changes.controller.js';
import { EmailChangesService } from './email-changes.service.js';
import { PendingEmailChanges } from './pending-email-changes.js';

@Module({
  imports: [AccountMailsModule, AuditModule, AuthModule, SessionsModule, UsersModule],
  controllers: [EmailChangesController],
  providers: [EmailChangesService, PendingEmailChanges, MailLimits],
  exports: [PendingEmailChanges],
})
export class EmailChangesModule {}

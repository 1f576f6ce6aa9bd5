import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { EmailChangesModule } from '../email-changes/email-changes.module.js';
import { MailLimits } from '../limits/mail-limits.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { PasswordChangesController } from './password-changes.controller.js';
import { PasswordChangesService } from './password-changes.service.js';

@Module({
  imports: [
    AccountMailsModule,
    AuditModule,
    AuthModule,
    EmailChangesModule,
    SessionsModule,
    UsersModule,
  ],
  controllers: [PasswordChangesController],
  providers: [PasswordChangesService, MailLimits],
})
export class PasswordChangesModule {}

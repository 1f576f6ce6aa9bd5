import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { MailLimits } from '../limits/mail-limits.js';
import { UsersModule } from '../users/users.module.js';
import { EmailVerificationController } from './email-verification.controller.js';
import { EmailVerificationService } from './email-verification.service.js';

@Module({
  imports: [AccountMailsModule, AuditModule, AuthModule, UsersModule],
  controllers: [EmailVerificationController],
  providers: [EmailVerificationService, MailLimits],
})
export class EmailVerificationModule {}

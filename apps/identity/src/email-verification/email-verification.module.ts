import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/auth.module.js';
import { UsersModule } from '../users/users.module.js';
import { EmailVerificationController } from './email-verification.controller.js';
import { EmailVerificationService } from './email-verification.service.js';
import { VerificationTokens } from './verification-tokens.js';

@Module({
  imports: [AuthModule, UsersModule],
  controllers: [EmailVerificationController],
  providers: [EmailVerificationService, VerificationTokens],
})
export class EmailVerificationModule {}

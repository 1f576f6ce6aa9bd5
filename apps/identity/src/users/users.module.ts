import { Module } from '@nestjs/common';
import { AccountMailsModule } from '../account-mails/account-mails.module.js';
import { AuditModule } from '../audit/audit.module.js';
import { NetworkCounters } from '../limits/network-counters.js';
import { NetworkFailures } from '../limits/network-failures.js';
import { Passwords } from '../passwords/passwords.js';
import { Administrator } from './administrator.js';
import { FormerEmails } from './former-emails.js';
import { UsersController } from './users.controller.js';
import { UsersEvents } from './users.events.js';
import { UsersRepository } from './users.repository.js';
import { UsersService } from './users.service.js';

@Module({
  imports: [AccountMailsModule, AuditModule],
  controllers: [UsersController, UsersEvents],
  providers: [
    UsersService,
    UsersRepository,
    FormerEmails,
    Passwords,
    NetworkCounters,
    NetworkFailures,
    Administrator,
  ],
  exports: [
    UsersService,
    UsersRepository,
    FormerEmails,
    Passwords,
    NetworkCounters,
    NetworkFailures,
  ],
})
export class UsersModule {}

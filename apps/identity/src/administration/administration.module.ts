import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { AdminUsersController } from './admin-users.controller.js';
import { AdminUsersService } from './admin-users.service.js';
import { AuditController } from './audit.controller.js';
import { AuditEntries } from './audit-entries.js';
import { UserSearch } from './user-search.js';

/** What administrators do with accounts, and the audit trail that they read. */
@Module({
  imports: [AuditModule, AuthModule, SessionsModule],
  controllers: [AdminUsersController, AuditController],
  providers: [AdminUsersService, AuditEntries, UserSearch],
})
export class AdministrationModule {}

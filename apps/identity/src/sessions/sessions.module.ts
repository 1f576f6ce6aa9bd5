import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { FactorsModule } from '../second-factor/factors.module.js';
import { Revocation } from './revocation.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsRepository } from './sessions.repository.js';
import { SessionsService } from './sessions.service.js';

@Module({
  imports: [AuditModule, FactorsModule],
  controllers: [SessionsController],
  providers: [SessionsService, SessionsRepository, Revocation],
  exports: [SessionsRepository, Revocation],
})
export class SessionsModule {}

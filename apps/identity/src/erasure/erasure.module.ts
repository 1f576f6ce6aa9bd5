import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { AvatarsModule } from '../avatars/avatars.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { UsersModule } from '../users/users.module.js';
import { ErasureController } from './erasure.controller.js';
import { ErasureService } from './erasure.service.js';
import { RequestedErasures } from './requested-erasures.js';

@Module({
  imports: [AuditModule, AuthModule, AvatarsModule, SessionsModule, UsersModule],
  controllers: [ErasureController],
  providers: [ErasureService, RequestedErasures],
})
export class ErasureModule {}

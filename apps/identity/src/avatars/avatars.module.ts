import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { UsersModule } from '../users/users.module.js';
import { AvatarFiles } from './avatar-files.js';
import { AvatarStorages } from './avatar-storages.js';
import { AvatarsController } from './avatars.controller.js';
import { AvatarsService } from './avatars.service.js';

@Module({
  imports: [AuditModule, LimitsModule, UsersModule],
  controllers: [AvatarsController],
  providers: [AvatarFiles, AvatarStorages, AvatarsService],
  exports: [AvatarFiles],
})
export class AvatarsModule {}

import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { LimitsModule } from '../limits/limits.module.js';
import { ExportsService } from './exports.service.js';
import { PersonalDataController } from './personal-data.controller.js';

@Module({
  imports: [AuditModule, AuthModule, LimitsModule],
  controllers: [PersonalDataController],
  providers: [ExportsService],
})
export class PersonalDataModule {}

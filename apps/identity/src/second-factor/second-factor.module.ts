import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { PasskeysController } from '../passkeys/passkeys.controller.js';
import { PasskeysService } from '../passkeys/passkeys.service.js';
import { UsersModule } from '../users/users.module.js';
import { FactorsModule } from './factors.module.js';
import { SecondFactorController } from './second-factor.controller.js';
import { SecondFactorService } from './second-factor.service.js';
import { SecondStep } from './second-step.js';

/** Second factors and passkeys as users meet them. */
@Module({
  imports: [AuditModule, AuthModule, FactorsModule, UsersModule],
  controllers: [SecondFactorController, PasskeysController],
  providers: [SecondFactorService, SecondStep, PasskeysService],
  exports: [SecondStep],
})
export class SecondFactorModule {}

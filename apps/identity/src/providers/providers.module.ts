import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AuthModule } from '../auth/auth.module.js';
import { FactorsModule } from '../second-factor/factors.module.js';
import { UsersModule } from '../users/users.module.js';
import { IdentityProviders } from './identity-providers.js';
import { LinkedIdentities } from './linked-identities.js';
import { ProviderVisits } from './provider-visits.js';
import { ProvidersController } from './providers.controller.js';
import { ProvidersService } from './providers.service.js';

@Module({
  imports: [AuditModule, AuthModule, FactorsModule, UsersModule],
  controllers: [ProvidersController],
  providers: [IdentityProviders, LinkedIdentities, ProviderVisits, ProvidersService],
})
export class ProvidersModule {}

import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { AccessTokenSigner } from './access-token-signer.js';
import { KeysController } from './keys.controller.js';
import { SigningKeys } from './signing-keys.js';

@Module({
  imports: [AuditModule],
  controllers: [KeysController],
  providers: [SigningKeys, AccessTokenSigner],
  exports: [AccessTokenSigner],
})
export class KeysModule {}

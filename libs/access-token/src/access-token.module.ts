import { Module } from '@nestjs/common';
import { AccessTokens } from './access-tokens.js';
import { PublicKeys } from './public-keys.js';
import { RevokedSessions } from './revoked-sessions.js';

/** Verification of access tokens; for gateways. Needs `MessagingModule.forRoot`. */
@Module({
  providers: [AccessTokens, PublicKeys, RevokedSessions],
  exports: [AccessTokens, RevokedSessions],
})
export class AccessTokenModule {}

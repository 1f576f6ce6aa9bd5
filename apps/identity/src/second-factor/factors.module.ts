import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module.js';
import { PasskeyCeremonies } from '../passkeys/passkey-ceremonies.js';
import { PasskeyChallenges } from '../passkeys/passkey-challenges.js';
import { PasskeysRepository } from '../passkeys/passkeys.repository.js';
import { RelyingParty } from '../passkeys/relying-party.js';
import { FactorChecks } from './factor-checks.js';
import { RecoveryCodes } from './recovery-codes.js';
import { SignInChallenges } from './sign-in-challenges.js';
import { TotpFactors } from './totp-factors.js';
import { TotpGuesses } from './totp-guesses.js';

/** Second factors as sign-ins need them. */
@Module({
  imports: [AuditModule],
  providers: [
    FactorChecks,
    PasskeyCeremonies,
    PasskeyChallenges,
    PasskeysRepository,
    RecoveryCodes,
    RelyingParty,
    SignInChallenges,
    TotpFactors,
    TotpGuesses,
  ],
  exports: [
    FactorChecks,
    PasskeyCeremonies,
    PasskeysRepository,
    RecoveryCodes,
    SignInChallenges,
    TotpFactors,
    TotpGuesses,
  ],
})
export class FactorsModule {}

import { randomBytes } from 'node:crypto';
import type {
  PasskeyAssertion,
  PasskeyAttestation,
  PasskeyCreationOptions,
  PasskeyRequestOptions,
} from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { User } from '../users/user.entity.js';
import { challengeMs, type ChallengeUse, PasskeyChallenges } from './passkey-challenges.js';
import { type NewPasskey, type Passkey, PasskeysRepository } from './passkeys.repository.js';
import { RelyingParty } from './relying-party.js';

/** Ed25519, ES256 and RS256: one of them is spoken by every authenticator. */
const algorithms = [-8, -7, -257];

/** A passkey that has proven its user's presence, or why it has not. */
export type PasskeyVerdict =
  { passkey: Passkey; refused?: undefined } | { refused: 'unproven' | 'copied'; userId?: number };

/** Takes tens of milliseconds and some megabytes to load, which most processes never need. */
const webauthn = () => import('@simplewebauthn/server');

/**
 * The two ceremonies of WebAuthn, for passkeys: credentials that the authenticator finds by itself and does not use
 * without having recognised its user, by a PIN or a finger. That makes them two factors at once.
 */
@Injectable()
export class PasskeyCeremonies {
  constructor(
    private readonly relyingParty: RelyingParty,
    private readonly challenges: PasskeyChallenges,
    private readonly passkeys: PasskeysRepository,
  ) {}

  async creationOptions(
    tx: EntityManager,
    use: ChallengeUse,
    user: Pick<User, 'id' | 'email' | 'fullName'>,
    now: Date,
  ): Promise<PasskeyCreationOptions> {
    const existing = await this.passkeys.of(tx, user.id);
    // The same for all passkeys of an account, so that a device keeps one for it.
    const userHandle = existing[0]?.userHandle ?? randomBytes(32);
    return {
      rp: { id: this.relyingParty.id, name: this.relyingParty.name },
      user: {
        id: userHandle.toString('base64url'),
        name: user.email,
        displayName: user.fullName,
      },
      challenge: await this.challenges.issue(tx, use, now, userHandle),
      pubKeyCredParams: algorithms.map((alg) => ({ alg, type: 'public-key' })),
      timeout: challengeMs,
      excludeCredentials: existing.map(toDescriptor),
      authenticatorSelection: {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'required',
      },
      attestation: 'none',
    };
  }

  /** What a new passkey is to be stored as, but for its owner and name; undefined when its proof fails. */
  async verifyCreation(
    tx: EntityManager,
    use: ChallengeUse,
    credential: PasskeyAttestation,
    now: Date,
  ): Promise<Omit<NewPasskey, 'userId' | 'name' | 'createdAt'> | undefined> {
    const challenge = challengeIn(credential.response.clientDataJSON);
    const issued = await this.challenges.redeem(tx, use, challenge, now);
    if (!issued?.userHandle) return undefined;
    const { verifyRegistrationResponse } = await webauthn();
    const { response } = credential;
    const transports = response.transports ?? [];
    const { registrationInfo } = await verifyRegistrationResponse({
      response: {
        id: credential.id,
        rawId: credential.rawId,
        type: credential.type,
        clientExtensionResults: {},
        response: {
          clientDataJSON: response.clientDataJSON,
          attestationObject: response.attestationObject,
          transports,
        },
      },
      expectedChallenge: challenge,
      expectedOrigin: this.relyingParty.origins,
      expectedRPID: this.relyingParty.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
      // Whatever it finds wrong, it throws an error for it.
    }).catch(() => ({ registrationInfo: undefined }));
    if (!registrationInfo) return undefined;
    const { id, publicKey, counter } = registrationInfo.credential;
    return {
      userHandle: issued.userHandle,
      credentialId: Buffer.from(id, 'base64url'),
      publicKey: Buffer.from(publicKey),
      counter,
      transports,
      backedUp: registrationInfo.credentialBackedUp,
    };
  }

  /** @param userId whose passkeys may answer; anybody's when left out */
  async requestOptions(
    tx: EntityManager,
    use: ChallengeUse,
    now: Date,
    userId?: number,
  ): Promise<PasskeyRequestOptions> {
    const challenge = await this.challenges.issue(tx, use, now);
    const allowed = userId === undefined ? undefined : await this.passkeys.of(tx, userId);
    return {
      rpId: this.relyingParty.id,
      challenge,
      timeout: challengeMs,
      userVerification: 'required',
      ...(allowed && { allowCredentials: allowed.map(toDescriptor) }),
    };
  }

  /**
   * Checks what an authenticator answered. The challenge is used up whatever comes of it.
   * @param whose `userId` has to own the passkey; without it, the authenticator has to name the account itself
   */
  async verify(
    tx: EntityManager,
    use: ChallengeUse,
    assertion: PasskeyAssertion,
    { now, userId }: { now: Date; userId?: number },
  ): Promise<PasskeyVerdict> {
    const unproven = { refused: 'unproven' } as const;
    const { response } = assertion;
    const challenge = challengeIn(response.clientDataJSON);
    if (!(await this.challenges.redeem(tx, use, challenge, now))) return unproven;
    const passkey = await this.passkeys.byCredential(tx, Buffer.from(assertion.id, 'base64url'));
    if (!passkey || !isOf(passkey, userId, response.userHandle)) return unproven;
    const { verifyAuthenticationResponse } = await webauthn();
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: {
        id: assertion.id,
        rawId: assertion.rawId,
        type: assertion.type,
        clientExtensionResults: {},
        response: {
          clientDataJSON: response.clientDataJSON,
          authenticatorData: response.authenticatorData,
          signature: response.signature,
        },
      },
      expectedChallenge: challenge,
      expectedOrigin: this.relyingParty.origins,
      expectedRPID: this.relyingParty.id,
      requireUserVerification: true,
      // The counter is compared by the database, where no two replicas can use one value.
      credential: { id: assertion.id, publicKey: new Uint8Array(passkey.publicKey), counter: 0 },
      // Whatever it finds wrong, it throws an error for it.
    }).catch(() => ({ verified: false, authenticationInfo: undefined }));
    if (!verified || !authenticationInfo) return unproven;
    const { newCounter: counter, credentialBackedUp: backedUp } = authenticationInfo;
    const isNext = await this.passkeys.use(tx, passkey.id, { counter, backedUp, now });
    return isNext ? { passkey } : { refused: 'copied', userId: passkey.userId };
  }
}

/** The challenge that a browser had an authenticator sign; empty when there is none to find. */
function challengeIn(clientDataJSON: string): string {
  try {
    const data: unknown = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString());
    const { challenge } = Object(data) as { challenge?: unknown };
    return typeof challenge === 'string' ? challenge : '';
  } catch {
    return '';
  }
}

/** WebAuthn §7.2 step 6. */
function isOf(
  passkey: Passkey,
  userId: number | undefined,
  userHandle: string | null | undefined,
): boolean {
  if (userId !== undefined && passkey.userId !== userId) return false;
  if (typeof userHandle !== 'string') return userId !== undefined;
  return passkey.userHandle.equals(Buffer.from(userHandle, 'base64url'));
}

function toDescriptor({ credentialId, transports }: Passkey) {
  return { id: credentialId.toString('base64url'), type: 'public-key', transports };
}

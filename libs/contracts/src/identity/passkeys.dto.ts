import {
  Choice,
  Flag,
  Id,
  Instant,
  Integer,
  Items,
  Nested,
  Text,
  Texts,
  UnreadObject,
} from '../core/fields.js';

/*
 * What a browser's `PublicKeyCredential.parseCreationOptionsFromJSON()`, `parseRequestOptionsFromJSON()` take and its
 * `toJSON()` gives (WebAuthn Level 3, §5.1.9, §5.1.8). All bytes are base64url.
 */

const longestChallenge = 128;
const longestCredentialId = 1400;

/** A passkey of the account. */
export class PasskeyView {
  @Id()
  id: number;

  @Text({ max: 64, example: 'Laptop' })
  name: string;

  @Flag({ description: 'Its provider keeps a copy, so that it outlives the device.' })
  backed_up: boolean;

  @Instant()
  created_at: string;

  @Instant({ nullable: true })
  last_used_at: string | null;
}

export class PasskeyList {
  @Items(() => PasskeyView)
  items: PasskeyView[];
}

export class RenamePasskey {
  @Text({ max: 64, example: 'Laptop' })
  name: string;
}

class RelyingParty {
  @Text({ max: 255, example: 'mentorhub.example', description: 'The domain passkeys belong to.' })
  id: string;

  @Text({ max: 64 })
  name: string;
}

class PasskeyOwner {
  @Text({ max: 128, description: 'Random; stands for the account, whoever reads it.' })
  id: string;

  @Text({ max: 254 })
  name: string;

  @Text({ max: 120 })
  displayName: string;
}

class CredentialParameters {
  @Integer({ example: -7, description: 'COSE algorithm.' })
  alg: number;

  @Choice(['public-key'])
  type: 'public-key';
}

class CredentialDescriptor {
  @Text({ max: longestCredentialId })
  id: string;

  @Text({ max: 32, example: 'public-key' })
  type: string;

  @Texts({ maxItems: 10, max: 32, optional: true })
  transports?: string[];
}

class AuthenticatorSelection {
  @Choice(['discouraged', 'preferred', 'required'], { optional: true })
  residentKey?: 'discouraged' | 'preferred' | 'required';

  @Flag({ optional: true })
  requireResidentKey?: boolean;

  @Choice(['discouraged', 'preferred', 'required'], { optional: true })
  userVerification?: 'discouraged' | 'preferred' | 'required';
}

/** For `navigator.credentials.create()`. The challenge works once, for 5 minutes. */
export class PasskeyCreationOptions {
  @Nested(() => RelyingParty)
  rp: RelyingParty;

  @Nested(() => PasskeyOwner)
  user: PasskeyOwner;

  @Text({ max: longestChallenge })
  challenge: string;

  @Items(() => CredentialParameters)
  pubKeyCredParams: CredentialParameters[];

  @Integer({ description: 'Milliseconds.' })
  timeout: number;

  @Items(() => CredentialDescriptor)
  excludeCredentials: CredentialDescriptor[];

  @Nested(() => AuthenticatorSelection)
  authenticatorSelection: AuthenticatorSelection;

  @Choice(['none'])
  attestation: 'none';
}

/** For `navigator.credentials.get()`. The challenge works once, for 5 minutes. */
export class PasskeyRequestOptions {
  @Text({ max: 255, example: 'mentorhub.example' })
  rpId: string;

  @Text({ max: longestChallenge })
  challenge: string;

  @Integer({ description: 'Milliseconds.' })
  timeout: number;

  @Choice(['required'])
  userVerification: 'required';

  @Items(() => CredentialDescriptor, {
    optional: true,
    description: 'The passkeys of the account; left out where any passkey may answer.',
  })
  allowCredentials?: CredentialDescriptor[];
}

class AttestationResponse {
  @Text({ max: 4096 })
  clientDataJSON: string;

  @Text({ max: 32_768 })
  attestationObject: string;

  @Texts({ maxItems: 10, max: 32, optional: true })
  transports?: string[];

  @Text({ max: 8192, optional: true, description: 'Not read: the attestation object has it.' })
  authenticatorData?: string;

  @Text({ max: 8192, optional: true, nullable: true, description: 'Not read, like the former.' })
  publicKey?: string | null;

  @Integer({ optional: true, description: 'Not read, like the former.' })
  publicKeyAlgorithm?: number;
}

class AssertionResponse {
  @Text({ max: 4096 })
  clientDataJSON: string;

  @Text({ max: 8192 })
  authenticatorData: string;

  @Text({ max: 8192 })
  signature: string;

  @Text({ max: 128, optional: true, nullable: true })
  userHandle?: string | null;
}

/** What every `PublicKeyCredential` has. */
class PublicKeyCredentialFields {
  @Text({ max: longestCredentialId })
  id: string;

  @Text({ max: longestCredentialId })
  rawId: string;

  @Choice(['public-key'])
  type: 'public-key';

  @Text({ max: 32, optional: true, nullable: true })
  authenticatorAttachment?: string | null;

  @UnreadObject({ optional: true })
  clientExtensionResults?: object;
}

/** What `navigator.credentials.create()` gave, as JSON. */
export class PasskeyAttestation extends PublicKeyCredentialFields {
  @Nested(() => AttestationResponse)
  response: AttestationResponse;
}

/** What `navigator.credentials.get()` gave, as JSON. */
export class PasskeyAssertion extends PublicKeyCredentialFields {
  @Nested(() => AssertionResponse)
  response: AssertionResponse;
}

export class AddPasskey {
  @Text({ max: 64, optional: true, example: 'Laptop', description: 'Default: `Passkey`.' })
  name?: string;

  @Nested(() => PasskeyAttestation)
  credential: PasskeyAttestation;
}

export class PasskeyAdded extends PasskeyView {
  @Texts({
    maxItems: 10,
    max: 32,
    optional: true,
    description:
      'With the first second factor of an account: ten recovery codes, shown this once, each for one use.',
  })
  recovery_codes?: string[];
}

export class PasskeySignIn {
  @Nested(() => PasskeyAssertion)
  passkey: PasskeyAssertion;
}

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type {
  PasskeyAssertion,
  PasskeyAttestation,
  PasskeyCreationOptions,
  PasskeyRequestOptions,
} from '@mentorhub/contracts';
import { isoCBOR } from '@simplewebauthn/server/helpers';

/** What a browser and an authenticator say; a test lies by changing it. */
export interface CeremonyFacts {
  origin: string;
  rpId: string;
  userVerified: boolean;
  /** What the counter is set to. */
  counter: number;
  challenge: string;
  userHandle: string | null;
}

const flags = { userPresent: 0x01, userVerified: 0x04, attested: 0x40 };
const origin = 'https://mentorhub.example';

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

/** An authenticator in software: one discoverable P-256 credential, attestation `none`, a counter. */
export class SoftwareAuthenticator {
  readonly credentialId = randomBytes(16);
  readonly privateKey: KeyObject;
  private readonly coordinates: { x: string; y: string };
  private counter = 0;
  private userHandle: string | null = null;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.privateKey = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.coordinates = { x, y };
  }

  get id(): string {
    return this.credentialId.toString('base64url');
  }

  create(options: PasskeyCreationOptions, lies: Partial<CeremonyFacts> = {}): PasskeyAttestation {
    this.userHandle = options.user.id;
    const { x, y } = this.coordinates;
    const key = isoCBOR.encode(
      new Map<number, number | Uint8Array>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, new Uint8Array(Buffer.from(x, 'base64url'))],
        [-3, new Uint8Array(Buffer.from(y, 'base64url'))],
      ]),
    );
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.credentialId.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, this.credentialId, key]);
    const facts = this.facts({ challenge: options.challenge, rpId: options.rp.id }, lies);
    const attestationObject = isoCBOR.encode(
      new Map<string, string | Uint8Array | Map<string, never>>([
        ['fmt', 'none'],
        ['attStmt', new Map<string, never>()],
        ['authData', new Uint8Array(this.authenticatorData(facts, attested))],
      ]),
    );
    return {
      ...this.credential(),
      response: {
        clientDataJSON: clientData('webauthn.create', facts).toString('base64url'),
        attestationObject: Buffer.from(attestationObject).toString('base64url'),
        transports: ['internal'],
      },
    };
  }

  get(options: PasskeyRequestOptions, lies: Partial<CeremonyFacts> = {}): PasskeyAssertion {
    const facts = this.facts(options, lies);
    const authenticatorData = this.authenticatorData(facts);
    const data = clientData('webauthn.get', facts);
    const signature = sign(
      'sha256',
      Buffer.concat([authenticatorData, sha256(data)]),
      this.privateKey,
    );
    return {
      ...this.credential(),
      response: {
        clientDataJSON: data.toString('base64url'),
        authenticatorData: authenticatorData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: facts.userHandle,
      },
    };
  }

  private facts(
    { rpId, challenge }: { rpId: string; challenge: string },
    lies: Partial<CeremonyFacts>,
  ): CeremonyFacts {
    this.counter = lies.counter ?? this.counter + 1;
    const { userHandle, counter } = this;
    return { origin, rpId, userVerified: true, challenge, userHandle, ...lies, counter };
  }

  private credential() {
    return {
      id: this.id,
      rawId: this.id,
      type: 'public-key' as const,
      clientExtensionResults: {},
    };
  }

  private authenticatorData(facts: CeremonyFacts, attested?: Buffer): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(facts.counter);
    const raised =
      flags.userPresent |
      (facts.userVerified ? flags.userVerified : 0) |
      (attested ? flags.attested : 0);
    return Buffer.concat([
      sha256(facts.rpId),
      Buffer.from([raised]),
      counter,
      attested ?? Buffer.alloc(0),
    ]);
  }
}

function clientData(type: string, { challenge, origin: from }: CeremonyFacts): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin: from, crossOrigin: false }));
}

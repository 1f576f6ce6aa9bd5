import type { PublicKey as Key } from '@mentorhub/contracts';
import { ApiProperty } from '@nestjs/swagger';

export class PublicKey implements Key {
  @ApiProperty()
  kid: string;

  @ApiProperty({ enum: ['RSA'] })
  kty: 'RSA';

  @ApiProperty({ enum: ['RS256'] })
  alg: 'RS256';

  @ApiProperty({ enum: ['sig'] })
  use: 'sig';

  @ApiProperty({ description: 'Modulus, base64url.' })
  n: string;

  @ApiProperty({ description: 'Exponent, base64url.', example: 'AQAB' })
  e: string;
}

/** A JWK set, RFC 7517. */
export class PublicKeys {
  @ApiProperty({ type: () => PublicKey, isArray: true })
  keys: PublicKey[];
}

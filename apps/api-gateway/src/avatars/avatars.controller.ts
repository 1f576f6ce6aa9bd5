import { avatarKey, Avatars } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Header } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { Key } from '../routing/key.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { drawAvatar } from './draw-avatar.js';

const seedOptions = { name: 'seed', pattern: /^[a-z\d_-]{1,64}$/, example: 'grace_hopper' };

const keyOptions = { name: 'key', pattern: avatarKey, example: 'Ue3q0yPz5xV1n8mB7tKc2w' };

@ApiTags('Users')
@Controller('avatars')
export class AvatarsController {
  constructor(private readonly requests: RequestClient) {}

  @Get(':seed.svg')
  @Anonymous()
  @Summary(
    'Draw an avatar',
    'Always the same for a seed, so that clients may keep it. Not tied to an account: any seed has one.',
  )
  @Header('content-type', 'image/svg+xml; charset=utf-8')
  @Header('cache-control', 'public, max-age=31536000, immutable')
  // Opened by itself, an SVG is a document: it may load and run nothing.
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
  @ApiResponse({
    status: 200,
    description: 'A square SVG.',
    content: { 'image/svg+xml': { schema: { type: 'string' } } },
  })
  draw(@Key(seedOptions) seed: string): Promise<string> {
    return drawAvatar(seed);
  }

  /** A day, no longer: the picture of a user who erases the account is to vanish from caches, too. */
  @Get(':key.webp')
  @Anonymous(Avatars.read)
  @Summary('Show an uploaded picture', 'Another picture has another address.')
  @Header('content-type', 'image/webp')
  @Header('cache-control', 'public, max-age=86400, immutable')
  @Header('content-security-policy', "default-src 'none'; sandbox")
  @ApiResponse({
    status: 200,
    description: 'A square WebP.',
    content: { 'image/webp': { schema: { type: 'string', format: 'binary' } } },
  })
  async show(@Key(keyOptions) key: string): Promise<Buffer> {
    const { image } = await this.requests.request(Avatars.read, undefined, { key });
    return Buffer.from(image, 'base64');
  }
}

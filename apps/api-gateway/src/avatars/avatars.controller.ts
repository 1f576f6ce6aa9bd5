import { Controller, Get, Header } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { Key } from '../routing/key.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { drawAvatar } from './draw-avatar.js';

const seedOptions = { name: 'seed', pattern: /^[a-z\d_-]{1,64}$/, example: 'grace_hopper' };

@ApiTags('Users')
@Controller('avatars')
export class AvatarsController {
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
}

import { Avatars, type Caller } from '@mentorhub/contracts';
import { UploadedAvatar } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Delete, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Sends } from '../../authentication/access.decorators.js';
import { Actor } from '../../authentication/actor.decorator.js';
import { Answers, Fails } from '../../routing/answers.decorator.js';
import { Device } from '../../routing/device.decorator.js';
import { configureRoute } from '../../routing/configure-route.js';
import { Summary } from '../../routing/summary.decorator.js';
import { AvatarUploads } from './avatar-uploads.js';
import { AvatarUpload } from './avatar-upload.dto.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

@ApiTags('Users')
@Controller('api/v1/users/me/avatar')
export class AvatarController {
  constructor(
    private readonly requests: RequestClient,
    private readonly uploads: AvatarUploads,
  ) {}

  @Post()
  @Sends(Avatars.replace)
  @configureRoute({ upload: true })
  @ApiConsumes('multipart/form-data')
  @ApiBody({ type: AvatarUpload })
  @Summary(
    "Replace one's own picture",
    'It is cut to a square of 512 pixels and stored as WebP, without the data that cameras add, such as the place.',
  )
  @Answers(200, UploadedAvatar)
  @Fails('RATE_LIMITED', 'OVERLOADED', 'CONFLICT', 'VALIDATION_FAILED')
  replace(
    @Actor() actor: Caller,
    @Req() request: FastifyRequest,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.uploads.replace(actor, request, device);
  }

  @Delete()
  @Sends(Avatars.remove)
  @Summary("Remove one's own picture")
  @Answers(204)
  remove(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Avatars.remove, actor, { device });
  }
}

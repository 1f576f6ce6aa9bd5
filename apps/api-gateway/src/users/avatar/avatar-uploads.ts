import { Avatars, type Caller, type Device } from '@mentorhub/contracts';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AvatarImages } from './avatar-image.js';
import { readUpload, requireMultipart } from './read-upload.js';
import { UploadBudget } from './upload-budget.js';

/** Takes pictures in: counted, read, made anew, and stored by identity. */
@Injectable()
export class AvatarUploads {
  private readonly budget = new UploadBudget();

  constructor(
    private readonly requests: RequestClient,
    private readonly images: AvatarImages,
  ) {}

  /** @throws ApplicationError RATE_LIMITED, OVERLOADED, and what `readUpload` and `AvatarImages.convert` throw */
  async replace(actor: Caller, request: FastifyRequest, device: Device): Promise<RawReply> {
    requireMultipart(request);
    const { user_id } = actor;
    // Before the body: what is not admitted costs neither memory nor a core.
    await this.requests.request(Avatars.admit, undefined, { user_id });
    const upload = this.budget.open(user_id);
    try {
      const picture = await this.images.convert(await readUpload(request, upload));
      const image = picture.toString('base64');
      return await this.requests.forward(Avatars.replace, actor, { image, device });
    } finally {
      upload.end();
    }
  }
}

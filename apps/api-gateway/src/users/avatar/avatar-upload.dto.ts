import { ApiProperty } from '@nestjs/swagger';

/** The form of an upload, for the documentation alone: the body is read as a stream. */
export class AvatarUpload {
  @ApiProperty({
    type: 'string',
    format: 'binary',
    description: 'PNG, JPEG or WebP of at most 5 MB; told by its content.',
  })
  file: unknown;
}

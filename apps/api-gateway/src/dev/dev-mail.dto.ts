import type { CapturedMail as Mail } from '@mentorhub/contracts';
import { ApiProperty } from '@nestjs/swagger';
import { IsOptional, IsString, MaxLength } from 'class-validator';

/** Which mails to show. */
export class FindMails {
  @ApiProperty({ required: false, description: 'Only those to this address.' })
  @IsOptional()
  @IsString({ message: 'to must be a email address.' })
  @MaxLength(254, { message: 'to must have at most 254 characters.' })
  to?: string;
}

export class CapturedMail implements Mail {
  @ApiProperty()
  id: string;

  @ApiProperty({ example: 'user@example.com' })
  to: string;

  @ApiProperty()
  subject: string;

  @ApiProperty()
  text: string;

  @ApiProperty()
  html: string;

  @ApiProperty({ format: 'date-time' })
  sent_at: string;
}

export class CapturedMails {
  @ApiProperty({ type: () => CapturedMail, isArray: true })
  items: CapturedMail[];
}

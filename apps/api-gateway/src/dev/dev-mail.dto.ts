import type { CapturedMail as Mail } from '@mentorhub/contracts';
import { Text } from '@mentorhub/contracts/fields';
import { ApiProperty } from '@nestjs/swagger';

/** Which mails to show. */
export class FindMails {
  @Text({ max: 254, optional: true, description: 'Only those to this address.' })
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

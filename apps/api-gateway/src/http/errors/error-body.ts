import { errorStatus } from '@mentorhub/contracts';
import { ApiProperty } from '@nestjs/swagger';

/** One invalid field. */
export class InvalidField {
  @ApiProperty({ description: 'Path of the field.', example: 'availability.monday[0]' })
  field: string;

  @ApiProperty({ description: 'What is wrong and how to fix it.' })
  message: string;
}

/** The body of every error, whatever its cause. Some codes add members, such as `alternatives`. */
export class ErrorBody {
  @ApiProperty({ description: 'What went wrong and how to fix it.' })
  detail: string;

  @ApiProperty({ description: 'The HTTP status.', example: 422, type: 'integer' })
  status_code: number;

  @ApiProperty({
    description: 'Stable: programs may rely on it.',
    enum: Object.keys(errorStatus),
    example: 'VALIDATION_FAILED',
  })
  code: string;

  @ApiProperty({
    description: 'One entry per invalid field; empty for errors that no field caused.',
    type: () => InvalidField,
    isArray: true,
  })
  errors: InvalidField[];

  @ApiProperty({ description: 'Names this request in the logs; also sent as `X-Request-ID`.' })
  request_id: string;
}

import { ServiceHealth } from '@mentorhub/contracts/dto';
import { ApiProperty, getSchemaPath } from '@nestjs/swagger';

/** That the process runs. */
export class Liveness {
  @ApiProperty({ enum: ['up'] })
  status: 'up';
}

/** The gateway and every service. */
export class SystemHealthView {
  @ApiProperty({ enum: ['up', 'degraded'], description: '`degraded` when some part is not up.' })
  status: 'up' | 'degraded';

  @ApiProperty({ type: () => ServiceHealth })
  gateway: ServiceHealth;

  @ApiProperty({
    type: 'object',
    additionalProperties: { $ref: getSchemaPath(ServiceHealth) },
    description: 'By service.',
  })
  services: Record<string, ServiceHealth>;
}

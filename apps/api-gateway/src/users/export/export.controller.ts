import type { Readable } from 'node:stream';
import { type Caller, PersonalDataExports } from '@mentorhub/contracts';
import { Controller, Get, Header } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { Sends } from '../../authentication/access.decorators.js';
import { Actor } from '../../authentication/actor.decorator.js';
import { Fails } from '../../routing/answers.decorator.js';
import { Device } from '../../routing/device.decorator.js';
import { Summary } from '../../routing/summary.decorator.js';
import { PersonalDataExporter } from './personal-data-exporter.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

@ApiTags('Users')
@Controller('api/v1/users/me/export')
export class ExportController {
  constructor(private readonly exporter: PersonalDataExporter) {}

  @Get()
  @Sends(PersonalDataExports.begin)
  @Summary(
    'Export everything that is stored about oneself',
    'By service and kind of row. When a service is away, there is no export; one that breaks off ends before its last bracket.',
  )
  @Header('content-type', 'application/json; charset=utf-8')
  @Header('content-disposition', 'attachment; filename="mentorhub-personal-data.json"')
  @ApiResponse({
    status: 200,
    description: 'A file.',
    content: { 'application/json': { schema: { type: 'object', additionalProperties: true } } },
  })
  @Fails('REAUTHENTICATION_REQUIRED', 'RATE_LIMITED', 'OVERLOADED')
  export(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<Readable> {
    return this.exporter.open(actor, device);
  }
}

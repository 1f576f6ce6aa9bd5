import { Controller, Get, Header } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import { register } from 'prom-client';
import { Anonymous } from '../authentication/access.decorators.js';
import { Summary } from '../routing/summary.decorator.js';

/** Metrics where clients are served, for development; in production only the management port has them. */
@ApiTags('Operations')
@Controller('metrics')
export class MetricsController {
  @Get()
  @Anonymous()
  @Summary('Show the metrics of this gateway', 'In the format of Prometheus. Local profile only.')
  @Header('content-type', register.contentType)
  @ApiResponse({
    status: 200,
    description: 'Metrics.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  show(): Promise<string> {
    return register.metrics();
  }
}

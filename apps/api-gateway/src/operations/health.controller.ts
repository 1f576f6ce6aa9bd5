import { ApplicationError } from '@mentorhub/contracts';
import { ServiceHealth } from '@mentorhub/contracts/dto';
import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { Answers } from '../routing/answers.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { Liveness, SystemHealthView } from './health.dto.js';
import { SystemHealth } from './system-health.js';

@ApiTags('Operations')
@Controller()
export class HealthController {
  constructor(private readonly health: SystemHealth) {}

  @Get('health')
  @Anonymous()
  @Summary('Show how this gateway is', 'Always 200; see `/health/ready` for load balancers.')
  @Answers(200, ServiceHealth)
  show(): Promise<ServiceHealth> {
    return this.health.gateway();
  }

  @Get('health/live')
  @Anonymous()
  @Summary('Report that the process runs')
  @Answers(200, Liveness)
  live(): Liveness {
    return { status: 'up' };
  }

  @Get('health/ready')
  @Anonymous()
  @Summary(
    'Report whether this gateway takes requests',
    '503 while it starts or stops. Without NATS it takes requests and answers them with 503.',
  )
  @Answers(200, ServiceHealth)
  ready(): Promise<ServiceHealth> {
    return this.whenUp();
  }

  @Get('ready')
  @Anonymous()
  @Summary('Report whether this gateway takes requests', 'The same as `/health/ready`.')
  @Answers(200, ServiceHealth)
  readyToo(): Promise<ServiceHealth> {
    return this.whenUp();
  }

  @Get('health/detailed')
  @Anonymous()
  @Summary('Show how the gateway and every service are', 'Each with its database and broker.')
  @Answers(200, SystemHealthView)
  detailed(): Promise<SystemHealthView> {
    return this.health.system();
  }

  private async whenUp(): Promise<ServiceHealth> {
    const report = await this.health.gateway();
    const { status, checks } = report;
    if (status === 'up') return report;
    throw new ApplicationError('SERVICE_UNAVAILABLE', 'This gateway takes no requests right now.', {
      data: { status, checks },
    });
  }
}

import {
  Availability,
  type AvailabilityView,
  type Caller,
  type ReplaceAvailability,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { AvailabilityService } from './availability.service.js';

@Controller()
export class AvailabilityController {
  constructor(private readonly availability: AvailabilityService) {}

  @Handle(Availability.mine)
  mine(actor: Caller): Promise<AvailabilityView> {
    return this.availability.mine(actor);
  }

  @Handle(Availability.replace)
  replace(actor: Caller, request: ReplaceAvailability): Promise<AvailabilityView> {
    return this.availability.replace(actor, request);
  }
}

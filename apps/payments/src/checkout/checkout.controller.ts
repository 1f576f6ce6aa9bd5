import {
  type Caller,
  Checkout,
  type CheckoutView,
  type SandboxOutcome,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { CheckoutService } from './checkout.service.js';

@Controller()
export class CheckoutController {
  constructor(private readonly checkout: CheckoutService) {}

  @Handle(Checkout.view)
  view(_actor: Caller | undefined, request: { checkout_id: string }): Promise<CheckoutView> {
    return this.checkout.view(request.checkout_id);
  }

  @Handle(Checkout.complete)
  complete(
    _actor: Caller | undefined,
    { checkout_id, outcome }: { checkout_id: string; outcome: SandboxOutcome },
  ): Promise<CheckoutView> {
    return this.checkout.complete(checkout_id, outcome);
  }
}

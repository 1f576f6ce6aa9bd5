import {
  type Caller,
  type CreatedPayment,
  type CreatePayment,
  type PageQuery,
  type PaymentPage,
  Payments,
  type PaymentView,
  type SandboxOutcome,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { PaymentsService } from './payments.service.js';

@Controller()
export class PaymentsController {
  constructor(private readonly payments: PaymentsService) {}

  @Handle(Payments.create)
  create(actor: Caller, request: CreatePayment): Promise<CreatedPayment> {
    return this.payments.create(actor, request);
  }

  @Handle(Payments.history)
  history(actor: Caller, query: PageQuery): Promise<PaymentPage> {
    return this.payments.history(actor, query);
  }

  @Handle(Payments.get)
  get(actor: Caller, { id }: { id: string }): Promise<PaymentView> {
    return this.payments.get(actor, id);
  }

  @Handle(Payments.completeSandbox)
  completeSandbox(
    actor: Caller,
    { id, outcome }: { id: string; outcome: SandboxOutcome },
  ): Promise<PaymentView> {
    return this.payments.completeSandbox(actor, id, outcome);
  }
}

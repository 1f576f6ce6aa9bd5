import { type Caller, Payments } from '@mentorhub/contracts';
import {
  CreatedPayment,
  CreatePayment,
  PageQuery,
  PaymentPage,
  PaymentView,
  CompleteSandboxPayment,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { AcceptsIdempotencyKey } from '../routing/idempotency-key.decorator.js';
import { Key } from '../routing/key.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

const paymentId = { name: 'id', pattern: /^pm_\w{1,37}$/, example: 'pm_123abc' };

@ApiTags('Payments')
@Controller('api/v1/payments')
export class PaymentsController {
  constructor(private readonly requests: RequestClient) {}

  @Post('create')
  @Sends(Payments.create)
  @AcceptsIdempotencyKey()
  @Summary('Pay for a session', 'A second call for the same session returns the pending payment.')
  @Answers(201, CreatedPayment)
  @Fails('AMOUNT_MISMATCH', 'NOT_FOUND', 'PROVIDER_UNAVAILABLE', 'WRONG_STATE')
  create(@Actor() actor: Caller, @Body() request: CreatePayment): Promise<RawReply> {
    return this.requests.forward(Payments.create, actor, request);
  }

  @Get('history')
  @Sends(Payments.history)
  @Summary("List one's payments")
  @Answers(200, PaymentPage)
  history(@Actor() actor: Caller, @Query() query: PageQuery): Promise<RawReply> {
    return this.requests.forward(Payments.history, actor, query);
  }

  @Get(':id')
  @Sends(Payments.get)
  @Summary('Show a payment')
  @Answers(200, PaymentView)
  get(@Actor() actor: Caller, @Key(paymentId) id: string): Promise<RawReply> {
    return this.requests.forward(Payments.get, actor, { id });
  }

  @Post(':id/sandbox')
  @Sends(Payments.completeSandbox)
  @Summary('Decide a payment of the sandbox provider', 'Exists only with the sandbox provider.')
  @Answers(200, PaymentView)
  @Fails('PROVIDER_UNAVAILABLE', 'WRONG_STATE')
  complete(
    @Actor() actor: Caller,
    @Key(paymentId) id: string,
    @Body() { outcome }: CompleteSandboxPayment,
  ): Promise<RawReply> {
    return this.requests.forward(Payments.completeSandbox, actor, { id, outcome });
  }
}

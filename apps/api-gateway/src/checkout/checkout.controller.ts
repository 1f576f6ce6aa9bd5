import { Checkout, type Locale } from '@mentorhub/contracts';
import { CompleteSandboxPayment } from '@mentorhub/contracts/dto';
import { RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Redirect } from '@nestjs/common';
import { ApiConsumes, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Anonymous } from '../authentication/access.decorators.js';
import { AnswersPage } from '../pages/page.js';
import { Fails } from '../routing/answers.decorator.js';
import { configureRoute } from '../routing/configure-route.js';
import { Key } from '../routing/key.decorator.js';
import { PreferredLocale } from '../routing/preferred-locale.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { checkoutPage } from './checkout.page.js';

const checkoutId = { name: 'id', pattern: /^co_[\w-]{8,64}$/, example: 'co_4fJ2kQ9xTzR1' };

/** The page of the sandbox payment provider. Anyone who knows the unguessable id may pay. */
@ApiTags('Payments')
@Controller('checkout')
export class CheckoutController {
  constructor(private readonly requests: RequestClient) {}

  @Get(':id')
  @Anonymous(Checkout.view)
  @Summary('Show the checkout page of the sandbox provider')
  @AnswersPage('A page in the language of `Accept-Language`.')
  async show(@Key(checkoutId) id: string, @PreferredLocale() locale: Locale): Promise<string> {
    const view = await this.requests.request(Checkout.view, undefined, { checkout_id: id });
    return checkoutPage(view, locale);
  }

  @Post(':id')
  @Anonymous(Checkout.complete)
  @configureRoute({ form: true })
  @ApiConsumes('application/x-www-form-urlencoded')
  @Summary('Pay or decline on the checkout page')
  @Redirect(undefined, 303)
  @ApiResponse({ status: 303, description: 'Back to the page, which shows the result.' })
  @Fails('WRONG_STATE')
  async complete(
    @Key(checkoutId) id: string,
    @Body() { outcome }: CompleteSandboxPayment,
  ): Promise<{ url: string }> {
    await this.requests.request(Checkout.complete, undefined, { checkout_id: id, outcome });
    return { url: `/checkout/${id}` };
  }
}

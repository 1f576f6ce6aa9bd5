import { type Caller, Providers, type StartedVisit } from '@mentorhub/contracts';
import {
  LinkedProviders,
  ProviderReturn,
  ProviderVisit,
  SignedIn,
  SignInProviders,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Delete, Get, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Anonymous, Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Key } from '../routing/key.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { VisitCookie } from './visit-cookie.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

const providerId = { name: 'provider', pattern: /^[a-z][a-z0-9-]{0,31}$/, example: 'google' };

const howItGoes =
  'Send the browser to `authorization_url`. The provider sends it back to the page `/sign-in/{provider}` with `code`, `state` and perhaps `iss` in the address';

/** Signing in with Google, GitHub, or whichever OpenID providers the operator has set. */
@ApiTags('Sign-in')
@Controller('api/v1/auth/providers')
export class ProvidersController {
  constructor(
    private readonly requests: RequestClient,
    private readonly cookie: VisitCookie,
  ) {}

  @Get()
  @Anonymous(Providers.list)
  @Summary('List the providers to sign in with')
  @Answers(200, SignInProviders)
  list(): Promise<RawReply> {
    return this.requests.forward(Providers.list, undefined, {});
  }

  @Get('linked')
  @Sends(Providers.linked)
  @Summary('List the providers that sign in to the own account')
  @Answers(200, LinkedProviders)
  linked(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Providers.linked, actor, {});
  }

  @Post(':provider/start')
  @Anonymous(Providers.start)
  @Summary(
    'Begin to sign in with a provider',
    `${howItGoes}, which go to \`…/callback\` from there. A cookie makes sure that it is the same browser.`,
  )
  @Answers(200, ProviderVisit)
  @Fails('RATE_LIMITED', 'PROVIDER_UNAVAILABLE')
  async start(
    @Key(providerId) provider: string,
    @Device() device: DeviceFacts,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProviderVisit> {
    return this.begun(
      reply,
      await this.requests.request(Providers.start, undefined, { provider, device }),
    );
  }

  @Post(':provider/callback')
  @Anonymous(Providers.signIn)
  @Summary(
    'Sign in with what the provider sent back',
    'The first time, this opens an account with the address that the provider has verified, or links the provider to the account that has verified the same address.',
  )
  @Answers(200, SignedIn)
  @Fails(
    'INVALID_TOKEN',
    'MFA_REQUIRED',
    'EMAIL_NOT_VERIFIED',
    'EMAIL_TAKEN',
    'FORBIDDEN',
    'RATE_LIMITED',
    'PROVIDER_UNAVAILABLE',
  )
  signIn(
    @Key(providerId) provider: string,
    @Body() response: ProviderReturn,
    @Device() device: DeviceFacts,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RawReply> {
    this.cookie.clear(reply);
    const browser_token = this.cookie.read(request);
    return this.requests.forward(
      Providers.signIn,
      undefined,
      Object.assign(response, { provider, browser_token, device }),
    );
  }

  @Post(':provider/link')
  @Sends(Providers.startLink)
  @Summary(
    'Begin to link a provider to the own account',
    `${howItGoes}, which go to \`…/link/callback\` from there.`,
  )
  @Answers(200, ProviderVisit)
  @Fails('REAUTHENTICATION_REQUIRED', 'RATE_LIMITED', 'PROVIDER_UNAVAILABLE')
  async startLink(
    @Actor() actor: Caller,
    @Key(providerId) provider: string,
    @Device() device: DeviceFacts,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProviderVisit> {
    return this.begun(
      reply,
      await this.requests.request(Providers.startLink, actor, { provider, device }),
    );
  }

  @Post(':provider/link/callback')
  @Sends(Providers.link)
  @Summary('Link a provider to the own account, with what it sent back')
  @Answers(204)
  @Fails('INVALID_TOKEN', 'EMAIL_NOT_VERIFIED', 'CONFLICT', 'PROVIDER_UNAVAILABLE')
  link(
    @Actor() actor: Caller,
    @Key(providerId) provider: string,
    @Body() response: ProviderReturn,
    @Device() device: DeviceFacts,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RawReply> {
    this.cookie.clear(reply);
    const browser_token = this.cookie.read(request);
    return this.requests.forward(
      Providers.link,
      actor,
      Object.assign(response, { provider, browser_token, device }),
    );
  }

  @Delete(':provider/link')
  @Sends(Providers.unlink)
  @Summary(
    'Unlink a provider from the own account',
    'Not the last way to sign in: that would lock the account.',
  )
  @Answers(204)
  @Fails('REAUTHENTICATION_REQUIRED', 'WRONG_STATE')
  unlink(
    @Actor() actor: Caller,
    @Key(providerId) provider: string,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Providers.unlink, actor, { provider, device });
  }

  /** The browser keeps its secret in a cookie, where no script sees it. */
  private begun(reply: FastifyReply, started: StartedVisit): ProviderVisit {
    const { browser_token: token, ...visit } = started;
    this.cookie.set(reply, token, visit.expires_in);
    return visit;
  }
}

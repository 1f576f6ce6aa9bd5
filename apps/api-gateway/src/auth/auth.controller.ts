import { Auth, type Caller, EmailLogin, Users } from '@mentorhub/contracts';
import {
  CodeRequested,
  Login,
  Reauthenticate,
  RefreshTokens,
  RegisterUser,
  SignedIn,
  TokenPair,
  UserView,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { Anonymous, Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';
import { Bearer, refreshTokenOf } from './refresh-token.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

@ApiTags('Sign-in')
@Controller('api/v1/auth')
export class AuthController {
  constructor(private readonly requests: RequestClient) {}

  @Post('register')
  @Anonymous(Users.register)
  @Summary(
    'Register an account',
    'Sends a mail with a link that verifies the address. Until then the account cannot book, apply as a mentor or write to strangers; after 7 days without it the account is deleted.',
  )
  @Answers(201, UserView)
  @Fails('EMAIL_TAKEN', 'USERNAME_TAKEN', 'RATE_LIMITED')
  register(@Body() request: RegisterUser, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Users.register, undefined, Object.assign(request, { device }));
  }

  @Post('login')
  @Anonymous(Auth.login)
  @Summary(
    'Sign in',
    'Where the account has a second factor, the answer is `MFA_REQUIRED` with a `challenge`, the `methods` that it takes, and `expires_in` seconds: complete the sign-in with `POST /auth/mfa/verify`.',
  )
  @Answers(200, SignedIn)
  @Fails('INVALID_CREDENTIALS', 'MFA_REQUIRED', 'FORBIDDEN', 'RATE_LIMITED')
  login(@Body() request: Login, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Auth.login, undefined, Object.assign(request, { device }));
  }

  @Post('refresh')
  @Anonymous(Auth.refresh)
  @Summary(
    'Get new tokens',
    'Takes the refresh token as the bearer token or in the body. It works once: within ten seconds it gives the same pair again, a later reuse ends its session.',
  )
  @ApiBearerAuth('refresh_token')
  @Answers(200, TokenPair)
  @Fails('INVALID_REFRESH_TOKEN')
  refresh(
    @Body() request: RefreshTokens,
    @Bearer() bearer: string | undefined,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    const refresh_token = refreshTokenOf(request, bearer);
    return this.requests.forward(Auth.refresh, undefined, { refresh_token, device });
  }

  @Post('logout')
  @Sends(Auth.logout)
  @Summary('Sign out of this device', 'Its tokens stop working at once, on every gateway.')
  @Answers(204)
  logout(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Auth.logout, actor, { device });
  }

  @Post('logout-all')
  @Sends(Auth.logoutAll)
  @Summary('Sign out of every device', 'All tokens stop working at once, on every gateway.')
  @Answers(204)
  logoutAll(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Auth.logoutAll, actor, { device });
  }

  @Post('reauthenticate')
  @Sends(Auth.reauthenticate)
  @Summary(
    'Prove again who you are',
    'Sensitive acts answer `REAUTHENTICATION_REQUIRED` unless this, or the sign-in, happened within the last ten minutes. Send exactly one of `password`, `code` of the authenticator app, and `passkey`; of an account with a second factor not the password. Of an account with neither, `code` is that of a mail, for which `POST /auth/reauthenticate/email` asks.',
  )
  @Answers(204)
  @Fails('INVALID_CREDENTIALS', 'MFA_REQUIRED', 'INVALID_CODE', 'INVALID_PASSKEY', 'RATE_LIMITED')
  reauthenticate(
    @Actor() actor: Caller,
    @Body() request: Reauthenticate,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Auth.reauthenticate, actor, Object.assign(request, { device }));
  }

  @Post('reauthenticate/email')
  @Sends(EmailLogin.requestReauthentication)
  @Summary(
    'Ask for a code to prove again who you are',
    'For accounts without a password and second factor: a mail brings the `code` of `POST /auth/reauthenticate`, for this session, ten minutes, five tries and one use.',
  )
  @Answers(202, CodeRequested)
  @Fails('WRONG_STATE')
  requestReauthentication(
    @Actor() actor: Caller,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(EmailLogin.requestReauthentication, actor, { device });
  }
}

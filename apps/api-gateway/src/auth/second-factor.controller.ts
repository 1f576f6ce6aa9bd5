import { type Caller, SecondFactors } from '@mentorhub/contracts';
import {
  ConfirmTotp,
  DisableTotp,
  PasskeyRequestOptions,
  RecoveryCodes,
  SecondFactorProof,
  SecondFactorStatus,
  SecondStepPasskey,
  SignedIn,
  TotpEnrolment,
  VerifySecondFactor,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Delete, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous, Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** What a sign-in needs besides its first step. */
@ApiTags('Second factor')
@Controller('api/v1/auth/mfa')
export class SecondFactorController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(SecondFactors.status)
  @Summary('Show the second factors of the account')
  @Answers(200, SecondFactorStatus)
  status(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(SecondFactors.status, actor, {});
  }

  @Post('verify')
  @Anonymous(SecondFactors.verify)
  @Summary(
    'Complete a sign-in',
    'With the `challenge` of the answer `MFA_REQUIRED`, which lives for 5 minutes and 5 tries, and exactly one of `code`, `recovery_code` and `passkey`.',
  )
  @Answers(200, SignedIn)
  @Fails('INVALID_TOKEN', 'INVALID_CODE', 'INVALID_PASSKEY', 'FORBIDDEN', 'RATE_LIMITED')
  verify(@Body() request: VerifySecondFactor, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(
      SecondFactors.verify,
      undefined,
      Object.assign(request, { device }),
    );
  }

  @Post('passkey-options')
  @Anonymous(SecondFactors.passkeyOptions)
  @Summary(
    'Complete a sign-in with a passkey',
    'What to hand to `navigator.credentials.get()`; its result is the `passkey` of `POST /auth/mfa/verify`.',
  )
  @Answers(200, PasskeyRequestOptions)
  @Fails('INVALID_TOKEN')
  passkeyOptions(@Body() request: SecondStepPasskey): Promise<RawReply> {
    return this.requests.forward(SecondFactors.passkeyOptions, undefined, request);
  }

  @Post('totp')
  @Sends(SecondFactors.enrolTotp)
  @Summary(
    'Set up an authenticator app',
    'It counts once `POST /auth/mfa/totp/confirm` has got a code of it, within ten minutes.',
  )
  @Answers(200, TotpEnrolment)
  @Fails('REAUTHENTICATION_REQUIRED', 'WRONG_STATE')
  enrolTotp(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(SecondFactors.enrolTotp, actor, { device });
  }

  @Post('totp/confirm')
  @Sends(SecondFactors.confirmTotp)
  @Summary(
    'Confirm the authenticator app',
    'From now on sign-ins need a second step. The answer has ten recovery codes, which are not shown again; codes from before stop working.',
  )
  @Answers(200, RecoveryCodes)
  @Fails('INVALID_CODE', 'RATE_LIMITED', 'WRONG_STATE')
  confirmTotp(
    @Actor() actor: Caller,
    @Body() request: ConfirmTotp,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      SecondFactors.confirmTotp,
      actor,
      Object.assign(request, { device }),
    );
  }

  @Delete('totp')
  @Sends(SecondFactors.disableTotp)
  @Summary(
    'Remove the authenticator app',
    'With exactly one of `code`, a current one, and `recovery_code`. Without a passkey sign-ins need no second step any more.',
  )
  @Answers(204)
  @Fails('INVALID_CODE', 'RATE_LIMITED', 'WRONG_STATE')
  disableTotp(
    @Actor() actor: Caller,
    @Body() request: DisableTotp,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      SecondFactors.disableTotp,
      actor,
      Object.assign(request, { device }),
    );
  }

  @Post('recovery-codes')
  @Sends(SecondFactors.replaceRecoveryCodes)
  @Summary(
    'Make new recovery codes',
    'With exactly one of `code`, `recovery_code` and `passkey`, for which `POST /auth/passkeys/confirmation-options` has the options. The codes before stop working.',
  )
  @Answers(200, RecoveryCodes)
  @Fails(
    'REAUTHENTICATION_REQUIRED',
    'INVALID_CODE',
    'INVALID_PASSKEY',
    'RATE_LIMITED',
    'WRONG_STATE',
  )
  replaceRecoveryCodes(
    @Actor() actor: Caller,
    @Body() request: SecondFactorProof,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(
      SecondFactors.replaceRecoveryCodes,
      actor,
      Object.assign(request, { device }),
    );
  }
}

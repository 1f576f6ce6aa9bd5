import { type Caller, Passkeys } from '@mentorhub/contracts';
import {
  AddPasskey,
  PasskeyAdded,
  PasskeyCreationOptions,
  PasskeyList,
  PasskeyRequestOptions,
  PasskeySignIn,
  PasskeyView,
  RenamePasskey,
  SignedIn,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Delete, Get, Patch, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Anonymous, Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

/** Passkeys: WebAuthn credentials that recognise their user. */
@ApiTags('Passkeys')
@Controller('api/v1/auth/passkeys')
export class PasskeysController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Passkeys.list)
  @Summary('List the passkeys of the account', 'There are at most 20.')
  @Answers(200, PasskeyList)
  list(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Passkeys.list, actor, {});
  }

  @Post('registration-options')
  @Sends(Passkeys.registrationOptions)
  @Summary(
    'Begin to add a passkey',
    'What to hand to `navigator.credentials.create()`; its result is the `credential` of `POST /auth/passkeys`.',
  )
  @Answers(200, PasskeyCreationOptions)
  @Fails('REAUTHENTICATION_REQUIRED')
  registrationOptions(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Passkeys.registrationOptions, actor, {});
  }

  @Post()
  @Sends(Passkeys.add)
  @Summary(
    'Add a passkey',
    'It signs in alone, and is the second step of any other sign-in, which needs one from now on. The first second factor of an account brings ten recovery codes, which are not shown again.',
  )
  @Answers(201, PasskeyAdded)
  @Fails('REAUTHENTICATION_REQUIRED', 'INVALID_PASSKEY', 'CONFLICT', 'WRONG_STATE')
  add(
    @Actor() actor: Caller,
    @Body() request: AddPasskey,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Passkeys.add, actor, Object.assign(request, { device }));
  }

  @Patch(':id')
  @Sends(Passkeys.rename)
  @Summary('Rename a passkey')
  @Answers(200, PasskeyView)
  @Fails('REAUTHENTICATION_REQUIRED')
  rename(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: RenamePasskey,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Passkeys.rename, actor, Object.assign(request, { id, device }));
  }

  @Delete(':id')
  @Sends(Passkeys.remove)
  @Summary(
    'Delete a passkey',
    'Refused for the only way to sign in. After the last second factor sign-ins need no second step any more.',
  )
  @Answers(204)
  @Fails('REAUTHENTICATION_REQUIRED', 'WRONG_STATE')
  remove(
    @Actor() actor: Caller,
    @Id() id: number,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(Passkeys.remove, actor, { id, device });
  }

  @Post('confirmation-options')
  @Sends(Passkeys.confirmationOptions)
  @Summary(
    'Prove again who you are with a passkey',
    'What to hand to `navigator.credentials.get()`; its result is the `passkey` of `POST /auth/reauthenticate` and `POST /auth/mfa/recovery-codes`.',
  )
  @Answers(200, PasskeyRequestOptions)
  confirmationOptions(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Passkeys.confirmationOptions, actor, {});
  }

  @Post('sign-in-options')
  @Anonymous(Passkeys.signInOptions)
  @Summary(
    'Begin to sign in with a passkey',
    'What to hand to `navigator.credentials.get()`; its result is the `passkey` of `POST /auth/passkeys/sign-in`.',
  )
  @Answers(200, PasskeyRequestOptions)
  @Fails('RATE_LIMITED')
  signInOptions(@Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Passkeys.signInOptions, undefined, { device });
  }

  @Post('sign-in')
  @Anonymous(Passkeys.signIn)
  @Summary('Sign in with a passkey', 'Nothing else is needed: it is two factors at once.')
  @Answers(200, SignedIn)
  @Fails('INVALID_PASSKEY', 'FORBIDDEN')
  signIn(@Body() request: PasskeySignIn, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Passkeys.signIn, undefined, Object.assign(request, { device }));
  }
}

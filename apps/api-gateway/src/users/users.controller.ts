import { type Caller, EmailChanges, Erasure, PasswordChanges, Users } from '@mentorhub/contracts';
import {
  ChangeEmail,
  ChangePassword,
  EmailChangeRequested,
  ProfileView,
  UpdateProfile,
  UserCard,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Delete, Get, Patch, Post, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Device } from '../routing/device.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

type DeviceFacts = import('@mentorhub/contracts').Device;

@ApiTags('Users')
@Controller('api/v1/users')
export class UsersController {
  constructor(private readonly requests: RequestClient) {}

  @Get('me')
  @Sends(Users.me)
  @Summary("Show one's own profile")
  @Answers(200, ProfileView)
  me(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Users.me, actor, {});
  }

  @Put('me')
  @Sends(Users.updateMe)
  @Summary("Change one's own profile", 'What is left out stays, as with `PATCH`.')
  @Answers(200, ProfileView)
  @Fails('USERNAME_TAKEN')
  replaceMe(@Actor() actor: Caller, @Body() request: UpdateProfile): Promise<RawReply> {
    return this.requests.forward(Users.updateMe, actor, request);
  }

  @Patch('me')
  @Sends(Users.updateMe)
  @Summary("Change parts of one's own profile", 'What is left out stays.')
  @Answers(200, ProfileView)
  @Fails('USERNAME_TAKEN')
  updateMe(@Actor() actor: Caller, @Body() request: UpdateProfile): Promise<RawReply> {
    return this.requests.forward(Users.updateMe, actor, request);
  }

  @Put('me/password')
  @Sends(PasswordChanges.change)
  @Summary(
    "Change one's password",
    'Signs out all other devices. An account without a password gets its first one without `current_password`, within ten minutes of a sign-in or `POST /auth/reauthenticate`.',
  )
  @Answers(204)
  @Fails(
    'INVALID_CREDENTIALS',
    'REAUTHENTICATION_REQUIRED',
    'CONFLICT',
    'RATE_LIMITED',
    'OVERLOADED',
  )
  changePassword(
    @Actor() actor: Caller,
    @Body() request: ChangePassword,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(PasswordChanges.change, actor, Object.assign(request, { device }));
  }

  @Post('me/email')
  @Sends(EmailChanges.request)
  @Summary(
    "Change one's email address",
    'Sends a link to the new address; the change takes place when that is confirmed. The answer is the same for an address that has an account. Needs a sign-in or `POST /auth/reauthenticate` within the last ten minutes.',
  )
  @Answers(202, EmailChangeRequested)
  @Fails('REAUTHENTICATION_REQUIRED', 'RATE_LIMITED')
  changeEmail(
    @Actor() actor: Caller,
    @Body() request: ChangeEmail,
    @Device() device: DeviceFacts,
  ): Promise<RawReply> {
    return this.requests.forward(EmailChanges.request, actor, Object.assign(request, { device }));
  }

  @Delete('me')
  @Sends(Erasure.erase)
  @Summary(
    "Erase one's own account",
    'For good: every service forgets who it was, sessions to come are cancelled by the rules of cancellation, and all tokens stop working at once. Records of payments stay, without personal texts. The address may be registered again.',
  )
  @Answers(204)
  @Fails('REAUTHENTICATION_REQUIRED', 'LAST_ADMINISTRATOR')
  eraseMe(@Actor() actor: Caller, @Device() device: DeviceFacts): Promise<RawReply> {
    return this.requests.forward(Erasure.erase, actor, { device });
  }

  @Get(':id')
  @Sends(Users.card)
  @Summary("Show a user's public card")
  @Answers(200, UserCard)
  card(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Users.card, actor, { id });
  }
}

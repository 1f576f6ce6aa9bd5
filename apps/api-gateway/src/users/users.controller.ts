import { type Caller, Users } from '@mentorhub/contracts';
import { ProfileView, UpdateProfile, UserCard } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Patch, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

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

  @Get(':id')
  @Sends(Users.card)
  @Summary("Show a user's public card")
  @Answers(200, UserCard)
  card(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Users.card, actor, { id });
  }
}

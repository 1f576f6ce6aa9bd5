import { type Caller, Notifications } from '@mentorhub/contracts';
import {
  ChangedCount,
  ListNotifications,
  NotificationPage,
  NotificationView,
  UnreadCount,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Delete, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

@ApiTags('Notifications')
@Controller('api/v1/notifications')
export class NotificationsController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Notifications.list)
  @Summary("List one's notifications", 'The newest first.')
  @Answers(200, NotificationPage)
  list(@Actor() actor: Caller, @Query() query: ListNotifications): Promise<RawReply> {
    return this.requests.forward(Notifications.list, actor, query);
  }

  @Get('unread-count')
  @Sends(Notifications.unreadCount)
  @Summary('Count the unread notifications')
  @Answers(200, UnreadCount)
  unreadCount(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Notifications.unreadCount, actor, {});
  }

  @Post('mark-all-read')
  @Sends(Notifications.readAll)
  @Summary('Mark every notification as read')
  @Answers(200, ChangedCount)
  readAll(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Notifications.readAll, actor, {});
  }

  @Post(':id/read')
  @Sends(Notifications.read)
  @Summary('Mark a notification as read')
  @Answers(200, NotificationView)
  read(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Notifications.read, actor, { id });
  }

  @Delete('clear-all')
  @Sends(Notifications.clear)
  @Summary('Delete every notification')
  @Answers(200, ChangedCount)
  clear(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Notifications.clear, actor, {});
  }

  @Delete(':id')
  @Sends(Notifications.remove)
  @Summary('Delete a notification')
  @Answers(204)
  remove(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(Notifications.remove, actor, { id });
  }
}

import {
  type Caller,
  EventLog as Requests,
  type LogPosition,
  type LogSlice,
  type ReadLog,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { EventLog } from './event-log.js';

@Controller()
export class EventLogController {
  constructor(private readonly log: EventLog) {}

  @Handle(Requests.head)
  head(actor: Caller): Promise<LogPosition> {
    return this.log.head(actor.user_id);
  }

  @Handle(Requests.read)
  read(actor: Caller, from: ReadLog): Promise<LogSlice> {
    return this.log.read(actor.user_id, from);
  }

  @Handle(Requests.heads)
  async heads(
    _actor: Caller | undefined,
    { user_ids: userIds }: { user_ids: number[] },
  ): Promise<{ offsets: Record<string, number> }> {
    return { offsets: await this.log.heads(userIds) };
  }
}

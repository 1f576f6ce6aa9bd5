import type { PongFrame } from '@mentorhub/contracts';
import { UseFilters } from '@nestjs/common';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import type { Connection } from '../delivery/connection.js';
import { Conversation } from '../delivery/conversation.js';
import type { PostFrame, ReadFrame, ResumeFrame, TypingFrame } from '../frames/client-frames.js';
import { FrameErrorFilter } from './frame-error.filter.js';

/** What a client may do over its socket, by the `type` of its frames. What a method resolves to is the answer. */
@WebSocketGateway({ path: '/ws/chat' })
@UseFilters(FrameErrorFilter)
export class ChatGateway {
  constructor(private readonly conversation: Conversation) {}

  @SubscribeMessage('message')
  post(connection: Connection, frame: PostFrame): Promise<void> {
    return this.conversation.post(connection, frame);
  }

  @SubscribeMessage('typing')
  showTyping(connection: Connection, frame: TypingFrame): Promise<void> {
    return this.conversation.showTyping(connection, frame);
  }

  @SubscribeMessage('read')
  read(connection: Connection, frame: ReadFrame): Promise<void> {
    return this.conversation.read(connection, frame);
  }

  @SubscribeMessage('resume')
  resume(connection: Connection, frame: ResumeFrame): Promise<void> {
    return this.conversation.resume(connection, frame);
  }

  @SubscribeMessage('ping')
  ping(): PongFrame {
    return { type: 'pong' };
  }
}

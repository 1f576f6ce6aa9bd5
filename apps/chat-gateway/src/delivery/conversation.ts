import { type Caller, Messages, Typing } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable } from '@nestjs/common';
import type { Connection } from './connection.js';
import type { PostFrame, ReadFrame, ResumeFrame, TypingFrame } from '../frames/client-frames.js';
import { FrameError } from '../frames/frame-error.js';
import { Feeds } from './feeds.js';
import { Posts } from './posts.js';

/** Carries the frames of a client to the chat service, and the answers back. */
@Injectable()
export class Conversation {
  constructor(
    private readonly requests: RequestClient,
    private readonly feeds: Feeds,
    private readonly posts: Posts,
  ) {}

  /**
   * Sends a message, and resolves when it is acknowledged: by the signal that follows the commit, or by chat's answer,
   * whichever comes first.
   */
  post(connection: Connection, frame: PostFrame): Promise<void> {
    const caller = callerOf(connection);
    return connection.acknowledge((origin) =>
      this.posts.send({
        sender_id: caller.user_id,
        message: {
          recipient_id: frame.recipient_id,
          chat_id: frame.chat_id,
          text: frame.text,
          client_id: frame.client_id,
        },
        origin,
      }),
    );
  }

  /** Shows the user as typing to the others of a chat, at most once per 2 s. */
  async showTyping(
    connection: Connection,
    { recipient_id: recipientId, chat_id: chatId }: TypingFrame,
  ): Promise<void> {
    const caller = callerOf(connection);
    const place = chatId === undefined ? `user ${recipientId}` : `chat ${chatId}`;
    if (!this.feeds.find(caller.user_id)?.mayType(place, performance.now())) return;
    await this.requests.request(Typing.show, caller, {
      recipient_id: recipientId,
      chat_id: chatId,
    });
  }

  /** Marks a chat as read; the `read` frame that follows is the answer. */
  async read(connection: Connection, { message_id: id }: ReadFrame): Promise<void> {
    await this.requests.forward(Messages.read, callerOf(connection), { id });
  }

  /** Replays what the device missed. @throws FrameError `rate_limited` for a user who resumes all the time */
  async resume(connection: Connection, { epoch, offset }: ResumeFrame): Promise<void> {
    const caller = callerOf(connection);
    if (!this.feeds.mayResume(caller.user_id, performance.now())) {
      throw new FrameError('rate_limited', 'Too many resumes: wait some seconds and resume again.');
    }
    await connection.replay({ epoch, offset }, (from) => this.feeds.readPage(caller, from));
  }
}

function callerOf({ caller }: Connection): Caller {
  if (!caller) throw new FrameError('unauthenticated', 'Send an auth frame first.');
  return caller;
}

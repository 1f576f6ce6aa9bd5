import {
  type AckFrame,
  CodedError,
  Messages,
  type PostAnswer,
  type SocketPost,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';

const maxPosts = 200;
/** In JSON a character takes up to 6 bytes, and a NATS message has at most 1 MiB. */
const maxCharacters = 150_000;

interface Waiting {
  readonly post: SocketPost;
  readonly resolve: (ack: AckFrame) => void;
  readonly reject: (error: unknown) => void;
}

/** Sends messages to chat: all that came in during one turn of the event loop, on any socket, in one request. */
@Injectable()
export class Posts {
  private waiting: Waiting[] = [];
  private characters = 0;

  constructor(private readonly requests: RequestClient) {}

  /** @throws CodedError */
  send(post: SocketPost): Promise<AckFrame> {
    const { length } = post.message.text;
    const fits = this.waiting.length < maxPosts && this.characters + length <= maxCharacters;
    if (!fits) void this.flush();
    return new Promise((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => void this.flush());
      this.waiting.push({ post, resolve, reject });
      this.characters += length;
    });
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    if (batch.length === 0) return;
    this.waiting = [];
    this.characters = 0;
    try {
      const { answers } = await this.requests.request(Messages.post, undefined, {
        posts: batch.map(({ post }) => post),
      });
      for (const [index, waiting] of batch.entries()) settle(waiting, answers[index]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function settle({ resolve, reject }: Waiting, answer: PostAnswer | undefined): void {
  if (!answer) reject(new CodedError('INTERNAL', 'The message was not answered.'));
  else if ('ack' in answer) resolve(answer.ack);
  else reject(CodedError.fromProblem(answer.problem));
}

import {
  type AckFrame,
  ApplicationError,
  maxBatchCharacters,
  Messages,
  type PostAnswer,
  type SocketPost,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';

const maxPosts = 200;
/** With one request in chat's hands and one at its door, chat never waits for us, and a third would only wait there. */
const enoughInFlight = 2;
/** Something slow, such as the first message of a chat, must not hold up the others. */
const maxWaitMs = 5;

interface Waiting {
  readonly post: SocketPost;
  readonly resolve: (ack: AckFrame) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends messages to chat, many in one request: all that came in during one turn of the event loop, on any socket; and
 * while enough requests are on their way, all that comes in until one is answered, for some milliseconds at most.
 */
@Injectable()
export class Posts implements OnApplicationShutdown {
  private waiting: Waiting[] = [];
  private characters = 0;
  private inFlight = 0;
  private scheduled = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly requests: RequestClient) {}

  /** @throws ApplicationError */
  send(post: SocketPost): Promise<AckFrame> {
    const { length } = post.message.text;
    const fits = this.waiting.length < maxPosts && this.characters + length <= maxBatchCharacters;
    if (!fits) void this.flush();
    return new Promise((resolve, reject) => {
      this.waiting.push({ post, resolve, reject });
      this.characters += length;
      this.schedule();
    });
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.inFlight >= enoughInFlight) {
      this.timer ??= setTimeout(() => void this.flush(), maxWaitMs);
    } else if (!this.scheduled) {
      this.scheduled = true;
      setImmediate(() => void this.flush());
    }
  }

  private async flush(): Promise<void> {
    this.scheduled = false;
    clearTimeout(this.timer);
    this.timer = undefined;
    const batch = this.waiting;
    if (batch.length === 0) return;
    this.waiting = [];
    this.characters = 0;
    this.inFlight++;
    try {
      const { answers } = await this.requests.request(Messages.post, undefined, {
        posts: batch.map(({ post }) => post),
      });
      for (const [index, waiting] of batch.entries()) resolveOrReject(waiting, answers[index]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      this.inFlight--;
      if (this.waiting.length > 0) this.schedule();
    }
  }
}

function resolveOrReject({ post, resolve, reject }: Waiting, answer: PostAnswer | undefined): void {
  if (!answer) reject(new ApplicationError('INTERNAL', 'The message was not answered.'));
  else if ('problem' in answer) reject(ApplicationError.fromProblem(answer.problem));
  else resolve({ type: 'ack', client_id: post.message.client_id, ...answer.ack });
}

import { type Caller, ApplicationError, type ReadResult } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { EventLog, type LoggedEntry } from '../event-log/event-log.js';

interface Place {
  chat_id: number;
  users: number[];
}

interface Progress {
  last_read_message_id: number;
  unread_count: number;
}

@Injectable()
export class ReceiptsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly eventLog: EventLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Marks a chat as read up to a message and tells everyone in it, the reader's devices included. A message that was
   * read before changes nothing.
   * @throws ApplicationError `NOT_FOUND` also for a message of others
   */
  async readUpTo({ user_id: userId }: Caller, messageId: number): Promise<ReadResult> {
    const { result, entries } = await this.transactions.run(async (tx) => {
      const [place] = await tx.query<Place[]>(
        `SELECT mine.chat_id, array_agg(everyone.user_id) AS users
         FROM messages
         JOIN participants AS mine ON mine.chat_id = messages.chat_id AND mine.user_id = $1
         JOIN participants AS everyone ON everyone.chat_id = messages.chat_id
         WHERE messages.id = $2
         GROUP BY mine.chat_id`,
        [userId, messageId],
      );
      if (!place) throw ApplicationError.notFound('The message');
      const { chat_id: chatId, users } = place;
      // The logs before the participant, in the order in which batches of messages lock them.
      await this.eventLog.lock(tx, users);
      const [moved] = await tx.query<[Progress[], number]>(
        `UPDATE participants SET last_read_message_id = $3
         WHERE chat_id = $1 AND user_id = $2 AND last_read_message_id < $3
         RETURNING last_read_message_id`,
        [chatId, userId, messageId],
      );
      const logged: LoggedEntry[] = [];
      if (moved.length > 0) {
        const receipt = {
          chat_id: chatId,
          message_id: messageId,
          user_id: userId,
          read_at: this.clock.now().toISOString(),
        };
        logged.push(
          ...(await this.eventLog.append(
            tx,
            users.map((user) => ({ userId: user, kind: 'read', payload: receipt })),
          )),
        );
      }
      const [progress] = await tx.query<Progress[]>(
        `SELECT last_read_message_id, (
           SELECT count(*) FROM messages
           WHERE chat_id = $1 AND id > last_read_message_id AND sender_id <> $2
         ) AS unread_count
         FROM participants WHERE chat_id = $1 AND user_id = $2`,
        [chatId, userId],
      );
      return {
        result: {
          chat_id: chatId,
          message_id: progress?.last_read_message_id ?? messageId,
          unread_count: progress?.unread_count ?? 0,
        },
        entries: logged,
      };
    });
    this.eventLog.signal(entries);
    return result;
  }
}

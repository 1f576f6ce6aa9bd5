import { type Caller, ApplicationError, type ReadResult, userFrame } from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
import { isSerializationFailure, preparedQuery } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readMessagesSql } from './read-messages.sql.js';

interface ReadRow {
  chat_id: number;
  read_to: number;
  unread_count: number;
  moves: boolean;
  /** By user id. */
  offsets: Record<string, number> | null;
}

const maxAttempts = 5;

@Injectable()
export class ReceiptsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly signals: Signals,
    private readonly clock: Clock,
  ) {}

  /**
   * Marks a chat as read up to a message and reports it to everyone in it, the reader's devices included. A message that
   * was read before changes nothing.
   * @throws ApplicationError `NOT_FOUND` also for a message of others
   */
  async readUpTo({ user_id: userId }: Caller, messageId: number): Promise<ReadResult> {
    const readAt = this.clock.now().toISOString();
    const {
      chat_id,
      read_to: message_id,
      unread_count,
      offsets,
    } = await this.read(userId, messageId, readAt);
    const receipt = {
      type: 'read',
      chat_id,
      message_id,
      user_id: userId,
      read_at: readAt,
    } as const;
    // What gets lost here, the open sockets find in the event log.
    for (const [user, offset] of Object.entries(offsets ?? {})) {
      this.signals.publish(userFrame, { frame: { ...receipt, offset } }, Number(user));
    }
    return { chat_id, message_id, unread_count };
  }

  /** Runs the statement, again when it met another one of the same reader. */
  private async read(userId: number, messageId: number, readAt: string): Promise<ReadRow> {
    for (let attempt = 1; ; attempt++) {
      try {
        const [row] = await preparedQuery<ReadRow>(this.dataSource, {
          name: 'read-messages',
          text: readMessagesSql,
          values: [userId, messageId, readAt],
        });
        if (!row) throw ApplicationError.notFound('The message');
        if (!row.moves || row.offsets) return row;
        if (attempt === maxAttempts) {
          throw new ApplicationError('SERVICE_UNAVAILABLE', 'This chat is busy. Try again.');
        }
      } catch (error) {
        if (attempt === maxAttempts || !isSerializationFailure(error)) throw error;
      }
    }
  }
}

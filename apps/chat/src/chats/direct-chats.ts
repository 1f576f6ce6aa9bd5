import { ApplicationError } from '@mentorhub/contracts';
import { People } from '@mentorhub/people';
import { Transactions } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { BoundedMap } from './bounded-map.js';

/** A chat of two; who takes part in it never changes. */
export interface DirectChat {
  readonly id: number;
  /** The lower id first. */
  readonly users: readonly [number, number];
}

/** Enough for every pair that writes within minutes, in some 10 MB. */
const capacity = 50_000;

interface ChatRow {
  id: number;
  user_low: number;
  user_high: number;
}

/**
 * Finds and opens chats of two. Remembers only that a chat exists and who is in it: facts that can never turn false,
 * so that replicas need not notify each other.
 */
@Injectable()
export class DirectChats {
  private readonly byPair = new BoundedMap<string, DirectChat>(capacity);
  private readonly byId = new BoundedMap<number, DirectChat>(capacity);

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly people: People,
  ) {}

  /** The chat of two users, if it is remembered. Saves those who write all the time from waiting for nothing. */
  remembered(userId: number, otherId: number): DirectChat | undefined {
    const [low, high] = ordered(userId, otherId);
    return this.byPair.get(`${low}:${high}`);
  }

  /**
   * The chat of a user with another one, opened if there is none: that needs a verified email address.
   * @throws ApplicationError `EMAIL_NOT_VERIFIED`, `NOT_FOUND` for an unknown recipient, `VALIDATION_FAILED` for oneself
   */
  async withUser(userId: number, recipientId: number): Promise<DirectChat> {
    if (userId === recipientId) {
      throw ApplicationError.invalid(
        'recipient_id',
        'recipient_id must be another user than yourself.',
      );
    }
    return (await this.find(userId, recipientId)) ?? (await this.open(userId, recipientId));
  }

  /** The chat of two users, if they have one. */
  async find(userId: number, otherId: number): Promise<DirectChat | undefined> {
    const known = this.remembered(userId, otherId);
    if (known) return known;
    const [low, high] = ordered(userId, otherId);
    const [row] = await this.dataSource.query<ChatRow[]>(
      'SELECT id, user_low, user_high FROM chats WHERE user_low = $1 AND user_high = $2',
      [low, high],
    );
    return row && this.remember(row);
  }

  /**
   * A chat the user takes part in.
   * @throws ApplicationError `NOT_FOUND` also for a chat of others
   */
  async ofUser(userId: number, chatId: number): Promise<DirectChat> {
    const chat = this.byId.get(chatId) ?? (await this.load(chatId));
    if (!chat?.users.includes(userId)) throw ApplicationError.notFound('The chat');
    return chat;
  }

  private async load(chatId: number): Promise<DirectChat | undefined> {
    const [row] = await this.dataSource.query<ChatRow[]>(
      'SELECT id, user_low, user_high FROM chats WHERE id = $1',
      [chatId],
    );
    return row && this.remember(row);
  }

  private async open(userId: number, recipientId: number): Promise<DirectChat> {
    await this.people.requireVerified(userId);
    // Names are shown with every message, so both must be known before the first one.
    const people = await this.people.ensure([userId, recipientId]);
    const recipient = people.get(recipientId);
    if (!recipient || recipient.erased) throw ApplicationError.notFound('The recipient');
    const users = ordered(userId, recipientId);
    const row = await this.transactions.run(async (tx) => {
      await tx.query(
        'INSERT INTO user_logs (user_id) VALUES ($1), ($2) ON CONFLICT DO NOTHING',
        users,
      );
      // The empty update makes the row of a concurrent transaction visible to RETURNING.
      const [chat] = await tx.query<ChatRow[]>(
        `INSERT INTO chats (user_low, user_high) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT chats_pair DO UPDATE SET user_low = excluded.user_low
         RETURNING id, user_low, user_high`,
        users,
      );
      if (!chat) throw new Error('The database returned no chat.');
      await tx.query(
        'INSERT INTO participants (chat_id, user_id) VALUES ($1, $2), ($1, $3) ON CONFLICT DO NOTHING',
        [chat.id, ...users],
      );
      return chat;
    });
    return this.remember(row);
  }

  private remember({ id, user_low: low, user_high: high }: ChatRow): DirectChat {
    const chat: DirectChat = { id, users: [low, high] };
    this.byPair.set(`${low}:${high}`, chat);
    this.byId.set(id, chat);
    return chat;
  }
}

function ordered(one: number, other: number): [number, number] {
  return one < other ? [one, other] : [other, one];
}

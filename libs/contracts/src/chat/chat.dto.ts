import {
  Flag,
  Id,
  Instant,
  Integer,
  Items,
  LongId,
  Nested,
  QueryInteger,
  QueryLongId,
  Text,
  WebAddress,
} from '../core/fields.js';
import { PageOf } from '../core/page.dto.js';

export class ChatParticipant {
  @Id({ example: 2 })
  id: number;

  @Text({ max: 32 })
  username: string;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

export class LastMessage {
  @LongId()
  id: number;

  @Id()
  sender_id: number;

  @Text({ max: 4000, description: 'The first 1000 characters.' })
  text: string;

  @Instant()
  sent_at: string;
}

export class ChatItem {
  @Id()
  id: number;

  @Nested(() => ChatParticipant, { description: 'The other side.' })
  participant: ChatParticipant;

  @Nested(() => LastMessage, { nullable: true })
  last_message: LastMessage | null;

  @Integer()
  unread_count: number;
}

export class ChatPage extends PageOf(ChatItem) {}

export class SendMessage {
  @Id({ optional: true, description: 'User to write to; or `chat_id`.', example: 2 })
  recipient_id?: number;

  @Id({ optional: true })
  chat_id?: number;

  @Text({ max: 4000, example: 'Hello! Ready for tomorrow.' })
  text: string;

  @Text({
    max: 64,
    optional: true,
    description: 'Unique per sender; the same one again stores nothing new.',
  })
  client_id?: string;
}

export class MessageView {
  @LongId()
  id: number;

  @Id()
  chat_id: number;

  @Id()
  sender_id: number;

  @Id({ nullable: true, description: 'The other side of a chat of two.' })
  recipient_id: number | null;

  @Text({ max: 4000 })
  text: string;

  @Instant()
  sent_at: string;

  @Flag({ description: 'Read by the other side.' })
  read: boolean;
}

export class ReadHistory {
  @QueryLongId({ optional: true, description: 'Messages older than this id.' })
  before?: number;

  @QueryLongId({ min: 0, optional: true, description: 'Messages newer than this id.' })
  after?: number;

  @QueryInteger({
    min: 1,
    max: 100,
    optional: true,
    description:
      'Default 20. Long messages can make the page shorter: `has_more` says whether more follow.',
  })
  limit?: number;
}

export class MessageHistory {
  @Items(() => MessageView, { description: 'Oldest first.' })
  items: MessageView[];

  @Flag()
  has_more: boolean;
}

export class ReadResult {
  @Id()
  chat_id: number;

  @LongId({ description: 'Everything up to this message is read.' })
  message_id: number;

  @Integer()
  unread_count: number;
}

export class OnlineUser {
  @Id()
  id: number;

  @Text({ max: 32 })
  username: string;

  @Text({ max: 120 })
  full_name: string;

  @Instant()
  since: string;
}

export class OnlineUsers {
  @Items(() => OnlineUser)
  users: OnlineUser[];

  @Integer()
  total: number;
}

import { Choice, Flag, Id, Instant, Integer, QueryFlag, Text } from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import { ApiProperty } from '@nestjs/swagger';

export const notificationTypes = [
  'welcome',
  'email_verified',
  'new_sign_in',
  'refresh_token_reused',
  'provider_linked',
  'provider_unlinked',
  'totp_enabled',
  'totp_disabled',
  'passkey_added',
  'passkey_removed',
  'recovery_code_used',
  'recovery_codes_replaced',
  'sign_in_codes_guessed',
  'email_changed',
  'password_changed',
  'session_requested',
  'session_confirmed',
  'session_cancelled',
  'session_expired',
  'session_completed',
  'session_missed',
  'meeting_link_added',
  'new_message',
  'review_received',
  'mentor_approved',
  'mentor_rejected',
  'payment_received',
  'payment_failed',
  'payment_refunded',
] as const;
export type NotificationType = (typeof notificationTypes)[number];

export class ListNotifications extends PageQuery {
  @Choice(notificationTypes, { optional: true })
  type?: NotificationType;

  @QueryFlag({ optional: true })
  is_read?: boolean;
}

export class NotificationView {
  @Id()
  id: number;

  @Choice(notificationTypes)
  type: NotificationType;

  @Text({ max: 200, description: "In the user's language." })
  title: string;

  @Text({ max: 1000 })
  body: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'Ids of what it is about.',
  })
  data: Record<string, unknown>;

  @Flag()
  is_read: boolean;

  @Instant({ nullable: true })
  read_at: string | null;

  @Instant()
  created_at: string;
}

export class NotificationPage extends PageOf(NotificationView) {}

export class UnreadCount {
  @Integer()
  unread_count: number;
}

export class ChangedCount {
  @Integer({ description: 'How many notifications changed.' })
  count: number;
}

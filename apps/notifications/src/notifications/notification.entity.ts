import type { NotificationType, NotificationView } from '@mentorhub/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** A notification as it was shown to the user, in the wording of that time. */
@Entity('notifications')
export class Notification {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  userId: number;

  @Column({ type: 'text' })
  type: NotificationType;

  @Column({ type: 'text' })
  title: string;

  @Column({ type: 'text' })
  body: string;

  /** Ids of what it is about. */
  @Column({ type: 'jsonb' })
  data: Record<string, number | string>;

  /** What title and body were made of. */
  @Column({ type: 'jsonb' })
  params: object;

  /** The other user whom it names; null where it names none, or does not any more. */
  @Column({ type: 'integer', nullable: true })
  namedUserId: number | null;

  /** Null while it is unread. */
  @Column({ type: 'timestamptz', nullable: true })
  readAt: Date | null;

  @Column({ type: 'timestamptz' })
  createdAt: Date;
}

export function notificationView(
  notification: Omit<Notification, 'userId' | 'params' | 'namedUserId'>,
): NotificationView {
  const { id, type, title, body, data, readAt, createdAt } = notification;
  return {
    id,
    type,
    title,
    body,
    data,
    is_read: readAt !== null,
    read_at: readAt?.toISOString() ?? null,
    created_at: createdAt.toISOString(),
  };
}

import { messagingMigrations } from '@mentorhub/messaging';
import type { DatabaseSchema } from '@mentorhub/persistence';
import { CreateNotifications1790000010000 } from './migrations/1790000010000-create-notifications.js';
import { DeferredNotifications1796000000010 } from './migrations/1796000000010-deferred-notifications.js';
import { ChatReads1796000030001 } from './migrations/1796000030001-chat-reads.js';
import { ErasedUsers1796000000065 } from './migrations/1796000000065-erased-users.js';
import { Notification } from './notifications/notification.entity.js';

export const schema: DatabaseSchema = {
  entities: [Notification],
  migrations: [
    ...messagingMigrations,
    CreateNotifications1790000010000,
    DeferredNotifications1796000000010,
    ChatReads1796000030001,
    ErasedUsers1796000000065,
  ],
};

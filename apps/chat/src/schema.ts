import { messagingMigrations } from '@mentorhub/messaging';
import { peopleMigrations } from '@mentorhub/people';
import type { DatabaseSchema } from '@mentorhub/persistence';
import { CreateChat1760100000000 } from './migrations/1760100000000-CreateChat.js';
import { CountUnread1796000000021 } from './migrations/1796000000021-CountUnread.js';
import { NumberPresenceReports1796000000022 } from './migrations/1796000000022-NumberPresenceReports.js';
import { UnpublishedReads1796000000030 } from './migrations/1796000000030-UnpublishedReads.js';

/** No entities: what this service asks of its tables is said best in SQL, and batches need it. */
export const schema: DatabaseSchema = {
  entities: [],
  migrations: [
    ...messagingMigrations,
    ...peopleMigrations,
    CreateChat1760100000000,
    CountUnread1796000000021,
    NumberPresenceReports1796000000022,
    UnpublishedReads1796000000030,
  ],
};

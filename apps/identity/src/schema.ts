import { messagingMigrations } from '@mentorhub/messaging';
import type { DatabaseSchema } from '@mentorhub/persistence';
import { CreateIdentity1795230000000 } from './migrations/1795230000000-create-identity.js';
import { RenameRequestedRole1796000000000 } from './migrations/1796000000000-rename-requested-role.js';
import { RefreshSuccessorsAndKeyLead1796000000001 } from './migrations/1796000000001-refresh-successors-and-key-lead.js';
import { UnverifiedAccountsAndLimits1796000000003 } from './migrations/1796000000003-unverified-accounts-and-limits.js';
import { WhatSignInsShare1796000000040 } from './migrations/1796000000040-what-sign-ins-share.js';
import { EmailChanges1796000000041 } from './migrations/1796000000041-email-changes.js';
import { MailedCodes1796000000045 } from './migrations/1796000000045-mailed-codes.js';
import { MembersDirectory1796000000044 } from './migrations/1796000000044-members-directory.js';
import { SecondFactors1796000000047 } from './migrations/1796000000047-second-factors.js';
import { DevicesAndProviders1796000000050 } from './migrations/1796000000050-devices-and-providers.js';
import { Administration1796000000056 } from './migrations/1796000000056-administration.js';
import { AvatarsAndErasure1796000000053 } from './migrations/1796000000053-avatars-and-erasure.js';
import { ValidateErased1796000000054 } from './migrations/1796000000054-validate-erased.js';
import { RequestedErasures1796000000055 } from './migrations/1796000000055-requested-erasures.js';
import { GrowingMailPauses1796000000058 } from './migrations/1796000000058-growing-mail-pauses.js';
import { IndexesOfAccounts1796000000060 } from './migrations/1796000000060-indexes-of-accounts.js';
import { WhenFactorsWereMade1796000000057 } from './migrations/1796000000057-when-factors-were-made.js';
import { Session } from './sessions/session.entity.js';
import { User } from './users/user.entity.js';

/** The tables of identity. */
export const schema: DatabaseSchema = {
  entities: [User, Session],
  migrations: [
    ...messagingMigrations,
    CreateIdentity1795230000000,
    RenameRequestedRole1796000000000,
    RefreshSuccessorsAndKeyLead1796000000001,
    UnverifiedAccountsAndLimits1796000000003,
    WhatSignInsShare1796000000040,
    EmailChanges1796000000041,
    MembersDirectory1796000000044,
    MailedCodes1796000000045,
    SecondFactors1796000000047,
    DevicesAndProviders1796000000050,
    Administration1796000000056,
    WhenFactorsWereMade1796000000057,
    AvatarsAndErasure1796000000053,
    ValidateErased1796000000054,
    RequestedErasures1796000000055,
    GrowingMailPauses1796000000058,
    IndexesOfAccounts1796000000060,
  ],
};

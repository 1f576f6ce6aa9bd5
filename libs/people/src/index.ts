export { People } from './people.js';
export { peopleMigrations } from './people.migrations.js';
export { PeopleModule } from './people.module.js';
export type { UserSummary } from '@mentorhub/contracts';

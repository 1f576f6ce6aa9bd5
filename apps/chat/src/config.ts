import {
  type Environment,
  integer,
  type RawEnvironment,
  readEnvironment,
  serviceVariables,
} from '@mentorhub/service-kit';

export const variables = {
  ...serviceVariables('CHAT', { managementPort: 8013 }),
  EVENT_LOG_DAYS: integer({
    default: 30,
    min: 1,
    max: 3650,
    desc: 'How long a device may be away and still be sent the receipts and notifications it missed, in days',
  }),
  EVENT_LOG_ENTRIES: integer({
    default: 10_000,
    min: 100,
    desc: 'How many events a device may have missed and still resume where it was',
  }),
  GATEWAY_LEASE_SECONDS: integer({
    default: 30,
    min: 1,
    max: 600,
    desc: 'How long the users of a chat gateway that fell silent still count as online, in seconds',
  }),
};

export type ChatConfig = Environment<typeof variables>;

export const readConfig = (environment: RawEnvironment): ChatConfig =>
  readEnvironment(environment, variables);

import {
  type Environment,
  integer,
  type RawEnvironment,
  readEnvironment,
  serviceVariables,
} from '@mentorhub/service-kit';

export const variables = {
  ...serviceVariables('mentorship', { managementPort: 8012 }),
  BOOKINGS_PER_HOUR: integer({
    default: 3,
    min: 1,
    max: 100_000,
    desc: 'Most new bookings of one user within an hour',
  }),
  BOOKING_HOLD_MINUTES: integer({
    default: 15,
    min: 1,
    max: 1440,
    desc: 'How long a booking that is not paid yet holds its slot, in minutes',
  }),
  SWEEP_INTERVAL_MS: integer({
    default: 5000,
    min: 100,
    max: 600_000,
    desc: 'How often bookings whose time has come are expired or completed, in milliseconds',
  }),
};

export type MentorshipConfig = Environment<typeof variables>;

/** @throws ConfigurationError that lists everything wrong */
export const readConfig = (environment: RawEnvironment): MentorshipConfig =>
  readEnvironment(environment, variables);

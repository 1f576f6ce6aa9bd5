import { type FieldCheck, idField, optionalField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { Device } from './identity.dto.js';

/** The services that hold data of users, in the order in which an export shows them. */
export const personalDataServices = [
  'identity',
  'mentorship',
  'chat',
  'notifications',
  'payments',
] as const;
export type PersonalDataService = (typeof personalDataServices)[number];

/** Some rows of one kind, such as `bookings`. */
export interface PersonalDataSection {
  name: string;
  items: unknown[];
}

/** A part of what a service holds about a user: at most some 300 KB. */
export interface PersonalDataPart {
  /** In an order that stays; the first may continue the last of the part before. */
  sections: PersonalDataSection[];
  /** Where the next part begins; null after the last one. */
  next: string | null;
}

const cursorField: FieldCheck = (value) =>
  typeof value === 'string' && /^\d{1,3}:[\x20-\x7e]{0,300}$/.test(value)
    ? undefined
    : 'the `next` of the part before';

export const PersonalDataExports = {
  /** Whether the caller may have an export now; counts and records it. */
  begin: request.user<{ device: Device }, { exported_at: string }>(
    'identity.personal_data_exports.begin',
  ),
};

/** What every service answers about the data that it holds of a user. */
export function personalData(service: PersonalDataService) {
  return {
    collect: request.service<{ user_id: number; cursor?: string }, PersonalDataPart>(
      `${service}.personal_data.collect`,
      { fields: { user_id: idField, cursor: optionalField(cursorField) } },
    ),
  };
}

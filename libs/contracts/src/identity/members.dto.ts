import { Email, Flag, Id, Instant, Integer, Items, SearchWords, Text } from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import { longestMemberName, longestMembershipType, mostImportErrors } from './member-limits.js';

export class ListMembers extends PageQuery {
  @SearchWords({
    max: 100,
    optional: true,
    description:
      'At most five words, or parts of them, of address and name; one of fewer than three letters begins the address.',
  })
  q?: string;
}

/** Somebody in the members directory. */
export class MemberItem {
  @Email()
  email: string;

  @Text({ min: 0, max: longestMemberName, example: 'Ada' })
  first_name: string;

  @Text({ min: 0, max: longestMemberName, example: 'Lovelace' })
  last_name: string;

  @Text({ min: 0, max: longestMembershipType, example: 'mentor, mentee' })
  membershiptype: string;

  @Flag({ description: 'By `membershiptype`.' })
  is_mentor: boolean;

  @Flag({ description: 'By `membershiptype`.' })
  is_mentee: boolean;

  @Id({ nullable: true, description: 'The account with this address, if there is one.' })
  user_id: number | null;

  @Instant({ description: 'When an import last changed the entry.' })
  updated_at: string;
}

export class MemberPage extends PageOf(MemberItem) {}

/** A line of an import that was left out. */
export class ImportFault {
  @Integer({ min: 1, example: 7, description: 'Line of the file at which the row begins.' })
  line: number;

  @Text({ max: 500, example: 'email is on line 5 already.' })
  message: string;
}

/** What an import did. */
export class MembersImported {
  @Integer({ min: 0, example: 120 })
  created: number;

  @Integer({ min: 0, example: 3, description: 'Members of whom something changed.' })
  updated: number;

  @Items(() => ImportFault, {
    maxItems: mostImportErrors,
    description: 'The rows that were left out, by line; the first 1000 of them.',
  })
  errors: ImportFault[];

  @Integer({ min: 0, example: 1, description: 'How many rows were left out.' })
  error_count: number;
}

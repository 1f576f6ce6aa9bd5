import {
  type FieldCheck,
  flagField,
  idField,
  listField,
  optionalField,
  textField,
} from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { Device } from './identity.dto.js';
import { mostMemberRows } from './member-limits.js';
import type { ImportFault, ListMembers, MemberPage } from './members.dto.js';

/** A row of an import: checked, folded, and the line at which it begins. */
export interface MemberRow {
  line: number;
  /** In lower case. */
  email: string;
  first_name: string;
  last_name: string;
  membershiptype: string;
}

/** What became of some rows of an import. */
export interface RowsImported {
  created: number;
  updated: number;
  errors: ImportFault[];
}

const importField = textField(36);
const cellField: FieldCheck = (value) =>
  typeof value === 'string' && value.length <= 300 && !value.includes('\0')
    ? undefined
    : 'a text of at most 300 characters';

/** One import is these requests, one after the other: a request carries far less than a file. */
export const Members = {
  list: request.admin<ListMembers, MemberPage>('identity.members.list'),
  beginImport: request.admin<{ device: Device }, { import_id: string }>(
    'identity.members.begin_import',
  ),
  /** Each row counts by itself: one that cannot be taken is in `errors`. */
  importRows: request.admin<{ import_id: string; rows: MemberRow[] }, RowsImported>(
    'identity.members.import_rows',
    {
      deadlineMs: 30_000,
      fields: {
        import_id: importField,
        rows: listField(mostMemberRows, {
          line: idField,
          email: textField(254),
          first_name: cellField,
          last_name: cellField,
          membershiptype: cellField,
        }),
      },
    },
  ),
  /** @param complete whether the file was read to its end; `failed` counts the rows that were left out */
  finishImport: request.admin<
    { import_id: string; complete: boolean; failed: number; device: Device },
    void
  >('identity.members.finish_import', {
    deadlineMs: 30_000,
    fields: {
      import_id: importField,
      complete: flagField,
      failed: optionalField((value) =>
        Number.isSafeInteger(value) ? undefined : 'a whole number',
      ),
    },
  }),
};

import type { PersonalDataPart } from '@mentorhub/contracts';
import type { DataSource } from 'typeorm';

/** Rows of one kind that a service holds about users. */
export interface PersonalDataSource {
  /** What the export calls them, such as `bookings`. */
  readonly name: string;
  /**
   * Selects the rows of user `$1` after the cursor `$2`, a text that is null at the beginning, in an order that stays; at
   * most `$3` of them. Columns: `cursor`, a text of letters, digits and `_.-`, and `item`, JSON.
   */
  readonly sql: string;
}

/** Bytes of JSON after which a part ends; well below the 1 MiB of a NATS message. */
const partBytes = 256 * 1024;
const rowsPerQuery = 100;

/**
 * Rows in the order of a key.
 * @param select statement with the rows of user `$1`, the key among the columns
 */
export function rowsByKey(
  name: string,
  select: string,
  key = 'id',
  type: 'bigint' | 'text' = 'bigint',
): PersonalDataSource {
  return {
    name,
    sql: `
      SELECT held.${key}::text AS cursor, row_to_json(held) AS item FROM (${select}) AS held
      WHERE $2::text IS NULL OR held.${key}::${type} > ($2::text)::${type}
      ORDER BY held.${key}::${type} LIMIT $3`,
  };
}

/** One part of what the sources hold about a user. However long a row is, a part has at least one. */
export async function collectPersonalData(
  dataSource: DataSource,
  sources: readonly PersonalDataSource[],
  request: { user_id: number; cursor?: string },
): Promise<PersonalDataPart> {
  const begin = readCursor(request.cursor);
  const sections: PersonalDataPart['sections'] = [];
  let bytes = 0;
  for (let index = begin.source; index < sources.length; index += 1) {
    const { name, sql } = sources[index]!;
    let after = index === begin.source ? begin.after : null;
    const items: unknown[] = [];
    sections.push({ name, items });
    for (let count = rowsPerQuery; count === rowsPerQuery;) {
      const rows = await dataSource.query<{ cursor: string; item: unknown }[]>(sql, [
        request.user_id,
        after,
        rowsPerQuery,
      ]);
      for (const { cursor, item } of rows) {
        const size = Buffer.byteLength(JSON.stringify(item));
        if (bytes > 0 && bytes + size > partBytes) {
          return { sections, next: `${index}:${after ?? ''}` };
        }
        items.push(item);
        bytes += size;
        after = cursor;
      }
      count = rows.length;
    }
  }
  return { sections, next: null };
}

function readCursor(cursor: string | undefined): { source: number; after: string | null } {
  if (cursor === undefined) return { source: 0, after: null };
  const colon = cursor.indexOf(':');
  const after = cursor.slice(colon + 1);
  return { source: Number(cursor.slice(0, colon)), after: after === '' ? null : after };
}

import type { QueryRunner } from 'typeorm';

export type ObjectKind =
  | 'table'
  | 'view'
  | 'sequence'
  | 'column'
  | 'index'
  | 'constraint'
  | 'trigger'
  | 'function'
  | 'type';

/** An object of a database as PostgreSQL's catalogs describe it. What a kind does not have is null. */
export interface CatalogObject {
  readonly kind: ObjectKind;
  /** The same for as long as the object exists, whatever its name. */
  readonly id: string;
  readonly name: string;
  /** The id of the table it belongs to. */
  readonly table: string | null;
  /** Where the rows of a table are: another place means that all of them were written anew. */
  readonly storage: string | null;
  /** The data type of a column, and how it is generated. */
  readonly type: string | null;
  /** Whether a column refuses null. */
  readonly required: boolean | null;
  /** Whether a column has a value when an INSERT does not name it. */
  readonly filled: boolean | null;
  /** Whether PostgreSQL checked every row against a CHECK or a foreign key. */
  readonly validated: boolean | null;
}

/** All objects of a database by their id, at one moment. */
export type Catalog = ReadonlyMap<string, CatalogObject>;

export interface Reading {
  readonly catalog: Catalog;
  /** Whether the connection was inside a transaction: what it changed is not committed. */
  readonly inTransaction: boolean;
}

/** What belongs to PostgreSQL itself, to an extension or to a session is left out. */
const own = (oid: string, schema: string, catalog: string): string => `
  ${schema}::regnamespace::text NOT LIKE 'pg\\_%' AND ${schema}::regnamespace::text <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE deptype = 'e' AND classid = '${catalog}'::regclass AND objid = ${oid})`;

/** Outside of a transaction a statement is one by itself, and `now()` is the moment it began. */
const catalogQuery = `
  WITH tables AS (
    SELECT oid, oid::regclass::text AS name, relkind, relfilenode FROM pg_class
    WHERE ${own('oid', 'relnamespace', 'pg_class')}
  ), objects AS (
    SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
      'r' || oid AS id, name, NULL AS "table",
      CASE WHEN relkind = 'r' THEN relfilenode::text END AS storage,
      NULL AS type, NULL::boolean AS required, NULL::boolean AS filled, NULL::boolean AS validated
    FROM tables WHERE relkind IN ('r', 'p', 'v', 'm')
      -- The sequence of a serial or identity column goes with the column.
      OR relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = tables.oid AND deptype IN ('a', 'i'))
    UNION ALL
    SELECT 'column', 'a' || attrelid || '.' || attnum, name || '.' || attname, 'r' || attrelid, NULL,
      concat_ws(' ', format_type(atttypid, atttypmod), nullif(attidentity, ''), nullif(attgenerated, '')),
      attnotnull, atthasdef OR attidentity <> '', NULL
    FROM pg_attribute JOIN tables ON tables.oid = attrelid
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT 'index', 'r' || indexrelid, indexrelid::regclass::text, 'r' || indrelid, NULL, NULL, NULL, NULL, NULL
    FROM pg_index JOIN tables ON tables.oid = indrelid
    UNION ALL
    SELECT 'constraint', 'c' || pg_constraint.oid, conname, 'r' || conrelid, NULL, contype::text, NULL, NULL, convalidated
    -- NOT NULL is a matter of the column.
    FROM pg_constraint JOIN tables ON tables.oid = conrelid WHERE contype <> 'n'
    UNION ALL
    SELECT 'trigger', 't' || pg_trigger.oid, tgname, 'r' || tgrelid, NULL, NULL, NULL, NULL, NULL
    FROM pg_trigger JOIN tables ON tables.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', 'f' || oid, oid::regproc::text, NULL, NULL, NULL, NULL, NULL, NULL
    FROM pg_proc WHERE ${own('oid', 'pronamespace', 'pg_proc')}
    UNION ALL
    SELECT 'type', 'y' || oid, oid::regtype::text, NULL, NULL, NULL, NULL, NULL, NULL
    FROM pg_type WHERE typtype IN ('e', 'd') AND ${own('oid', 'typnamespace', 'pg_type')}
  )
  SELECT now() <> statement_timestamp() AS in_transaction,
    coalesce((SELECT json_agg(objects) FROM objects), '[]') AS objects`;

/** Reads the catalogs as the connection sees them. @param query of the runner, untouched by whoever observes it */
export async function readCatalog(query: QueryRunner['query']): Promise<Reading> {
  const [row] = (await query(catalogQuery)) as [
    { in_transaction: boolean; objects: CatalogObject[] },
  ];
  return {
    catalog: new Map(row.objects.map((object) => [object.id, object])),
    inTransaction: row.in_transaction,
  };
}

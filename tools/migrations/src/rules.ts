import type { Contraction } from '@mentorhub/persistence';
import type { Catalog, CatalogObject } from './catalog.js';

export type Rule = 'drop' | 'rename' | 'tighten' | 'retype' | 'rewrite' | 'block' | 'mark';

/** Why a migration is refused. */
export interface Finding {
  readonly migration: string;
  readonly rule: Rule;
  /** As a mark names it. */
  readonly object: string;
  /** What it does and what to do instead, one sentence or two. */
  readonly message: string;
}

/** What a migration committed at once. */
export interface Step {
  readonly before: Catalog;
  readonly after: Catalog;
  readonly statements: readonly string[];
}

export interface Inspected {
  readonly migration: string;
  /** The catalog that the migration found. */
  readonly before: Catalog;
  readonly steps: readonly Step[];
  readonly contraction?: Contraction;
  /** The versions that were released. */
  readonly releases: ReadonlySet<string>;
}

type Change = Omit<Finding, 'migration'>;

const laterRelease = 'Add first, and contract in a release after the one that stopped using it.';
const concurrently = /\bCREATE\s+(UNIQUE\s+)?INDEX\s+CONCURRENTLY\b/i;

/** What the processes of the release before cannot work with, or wait for, and what is wrong with the mark. */
export function findings(inspected: Inspected): Finding[] {
  const { migration, before, steps, contraction } = inspected;
  const after = steps.at(-1)?.after ?? before;
  const changes = once([
    ...lost(before, after),
    ...renamed(before, after),
    ...columnChanges(before, after),
    ...rewritten(before, after),
    ...steps.flatMap((step) => [...unvalidated(before, step), ...blocking(before, step)]),
  ]);
  const marked = new Set(contraction?.objects);
  const excused = changes.filter(({ object }) => marked.has(object));
  const problems = contraction ? markProblems(contraction, excused, inspected.releases) : [];
  return [...changes.filter((change) => !excused.includes(change)), ...problems].map((change) => ({
    migration,
    ...change,
    message: `${migration} ${change.message}`,
  }));
}

/** One change of an object may show twice: a unique constraint is renamed together with its index. */
function once(changes: readonly Change[]): Change[] {
  return [...new Map(changes.map((it) => [`${it.rule} ${it.object}`, it])).values()];
}

/** The table of an object, if there still is one. */
function tableOf(object: CatalogObject, catalog: Catalog): CatalogObject | undefined {
  return object.table === null ? undefined : catalog.get(object.table);
}

function lost(before: Catalog, after: Catalog): Change[] {
  return (
    [...before.values()]
      .filter(({ id }) => !after.has(id))
      // What goes with its table is not worth a line; a constraint that goes asks less than before.
      .filter((object) => object.table === null || tableOf(object, after))
      .filter(({ kind }) => kind !== 'constraint')
      .map(({ kind, name }) => ({
        rule: 'drop',
        object: name,
        message: `drops the ${kind} ${name}. ${laterRelease}`,
      }))
  );
}

function renamed(before: Catalog, after: Catalog): Change[] {
  return [...before.values()].flatMap((object) => {
    const now = after.get(object.id);
    if (!now || ownName(now, after) === ownName(object, before)) return [];
    const { kind, name } = object;
    return {
      rule: 'rename' as const,
      object: name,
      message: `renames the ${kind} ${name} to ${now.name}. ${laterRelease}`,
    };
  });
}

/** The name of a column without that of its table, which may have been renamed. */
function ownName(object: CatalogObject, catalog: Catalog): string {
  const table = object.kind === 'column' ? tableOf(object, catalog) : undefined;
  return table ? object.name.slice(table.name.length + 1) : object.name;
}

function columnChanges(before: Catalog, after: Catalog): Change[] {
  return [...after.values()].flatMap((column): Change[] => {
    if (column.kind !== 'column' || !before.has(column.table ?? '')) return [];
    const { name: object } = column;
    const old = before.get(column.id);
    const mustBeGiven = column.required === true && column.filled === false;
    if (!old) {
      if (!mustBeGiven) return [];
      const message = `adds ${object}, which refuses rows without it. Give it a default or let it be null.`;
      return [{ rule: 'tighten', object, message }];
    }
    const changes: Change[] = [];
    if (old.type !== column.type) {
      const message = `changes the type of ${object} from ${old.type} to ${column.type}. Add a column of the new type.`;
      changes.push({ rule: 'retype', object: old.name, message });
    }
    if (column.required === true && old.required === false) {
      const message = `lets ${object} refuse null. ${laterRelease}`;
      changes.push({ rule: 'tighten', object: old.name, message });
    } else if (mustBeGiven && old.filled === true) {
      const message = `takes the default of ${object}, which refuses null. ${laterRelease}`;
      changes.push({ rule: 'tighten', object: old.name, message });
    }
    return changes;
  });
}

/** Locks out everybody while it lasts; a TRUNCATE looks the same. */
function rewritten(before: Catalog, after: Catalog): Change[] {
  const retyped = new Set(
    columnChanges(before, after)
      .filter(({ rule }) => rule === 'retype')
      .map(({ object }) => object.slice(0, object.lastIndexOf('.'))),
  );
  return [...before.values()].flatMap((table) => {
    const storage = after.get(table.id)?.storage;
    const stays = storage === undefined || storage === table.storage || retyped.has(table.name);
    if (stays) return [];
    const message = `writes every row of ${table.name} anew, or none, while nobody can read it. Add columns without volatile defaults, and fill them in batches.`;
    return { rule: 'rewrite' as const, object: table.name, message };
  });
}

/** Constraints whose check reads a whole table under a lock that keeps writers out. */
function unvalidated(existing: Catalog, { before, after }: Step): Change[] {
  return [...after.values()]
    .filter(({ id, kind }) => kind === 'constraint' && !before.has(id))
    .filter(({ table }) => existing.has(table ?? ''))
    .filter(({ type, validated }) => (type === 'c' || type === 'f') && validated === true)
    .map((constraint) => ({
      rule: 'tighten',
      object: constraint.name,
      message: `checks every row of ${tableOf(constraint, after)?.name} against the new constraint ${constraint.name} while nobody can write. Add it NOT VALID, and validate it in a migration after this one.`,
    }));
}

function blocking(existing: Catalog, { before, after, statements }: Step): Change[] {
  // PostgreSQL runs it in no transaction, so it was alone.
  if (statements.some((statement) => concurrently.test(statement))) return [];
  return [...after.values()]
    .filter(({ id, kind }) => kind === 'index' && !before.has(id))
    .filter(({ table }) => existing.has(table ?? ''))
    .map((index) => ({
      rule: 'block',
      object: index.name,
      message: `builds the index ${index.name} while nobody can write to ${tableOf(index, after)?.name}. Set \`transaction = false\` and use CREATE INDEX CONCURRENTLY.`,
    }));
}

function markProblems(
  { unusedSince, objects, reason }: Contraction,
  excused: readonly Change[],
  releases: ReadonlySet<string>,
): Change[] {
  const problems: Change[] = [];
  const add = (object: string, message: string) => problems.push({ rule: 'mark', object, message });
  if (!releases.has(unusedSince)) {
    const message = `is marked with the release ${unusedSince}, which CHANGELOG.md does not have. Contract after that release.`;
    add(unusedSince, message);
  }
  if (reason.trim() === '') add('reason', 'is marked without a reason.');
  for (const object of objects) {
    if (excused.some((change) => change.object === object)) continue;
    add(object, `is marked for ${object}, which it neither takes away nor tightens.`);
  }
  return problems;
}

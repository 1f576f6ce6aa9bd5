import type { MigrationInterface } from 'typeorm';

/** What a migration takes away or tightens, and since when no process needs it. */
export interface Contraction {
  /** The release whose processes were the first to do without all of it, such as `1.4.0`. */
  readonly unusedSince: string;
  /** Tables, columns as `table.column`, and whatever else the check of migrations names. */
  readonly objects: readonly string[];
  /** What took its place, or why nothing did. */
  readonly reason: string;
}

/**
 * A migration with which the processes of some earlier release cannot work. The check in tools/migrations refuses what
 * contracts without this mark.
 */
export interface ContractingMigration extends MigrationInterface {
  readonly contraction: Contraction;
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Refuses a database in which `pg_trgm` sees no letters beyond ASCII: the search would find nothing written in Cyrillic.
 * Indexes that were built elsewhere and moved here are rebuilt by the restore.
 */
export class RequireLetters1796000020003 implements MigrationInterface {
  readonly name = 'RequireLetters1796000020003';

  async up(queryRunner: QueryRunner): Promise<void> {
    const [database] = (await queryRunner.query(`
      SELECT current_database() AS name, datctype AS ctype, cardinality(show_trgm('привет')) > 0 AS has_letters
      FROM pg_database WHERE datname = current_database()`)) as [
      { name: string; ctype: string; has_letters: boolean },
    ];
    if (database.has_letters) return;
    throw new Error(
      `The database "${database.name}" has LC_CTYPE "${database.ctype}", which knows no letters beyond ASCII: the search ` +
        'would find nothing written in Cyrillic. Create a database with CREATE DATABASE … TEMPLATE template0 ' +
        `ENCODING 'UTF8' LC_CTYPE 'C.UTF-8', move the data with pg_dump and pg_restore, and start again.`,
    );
  }

  async down(): Promise<void> {
    // Nothing was changed.
  }
}

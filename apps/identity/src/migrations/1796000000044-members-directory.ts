import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who may sign in without having registered, and the imports that are running. */
export class MembersDirectory1796000000044 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE EXTENSION IF NOT EXISTS pg_trgm');
    await queryRunner.query(`
      CREATE TABLE members (
        email text CONSTRAINT members_pkey PRIMARY KEY
          CONSTRAINT members_email_lower CHECK (email = lower(email)),
        first_name text NOT NULL,
        last_name text NOT NULL,
        membershiptype text NOT NULL,
        updated_at timestamptz NOT NULL,
        joined_at timestamptz,
        search_text text NOT NULL GENERATED ALWAYS AS
          (lower(email || ' ' || first_name || ' ' || last_name)) STORED
      )`);
    await queryRunner.query(
      'CREATE INDEX members_search_idx ON members USING gin (search_text gin_trgm_ops)',
    );
    await queryRunner.query(
      'CREATE INDEX members_email_beginning_idx ON members (email text_pattern_ops)',
    );
    await queryRunner.query(`
      CREATE TABLE member_imports (
        id uuid CONSTRAINT member_imports_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
        actor_id integer NOT NULL,
        started_at timestamptz NOT NULL,
        created integer NOT NULL DEFAULT 0,
        updated integer NOT NULL DEFAULT 0
      )`);
    await queryRunner.query(`
      CREATE TABLE member_import_lines (
        import_id uuid NOT NULL
          CONSTRAINT member_import_lines_import_id_fkey
          REFERENCES member_imports (id) ON DELETE CASCADE,
        email text NOT NULL,
        line integer NOT NULL,
        CONSTRAINT member_import_lines_pkey PRIMARY KEY (import_id, email)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE member_import_lines, member_imports, members');
  }
}

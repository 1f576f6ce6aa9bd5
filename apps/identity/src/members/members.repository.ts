import { ApplicationError, type MemberRow, type RowsImported } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Somebody in the directory. */
export interface Member {
  email: string;
  firstName: string;
  lastName: string;
  membershiptype: string;
}

/** A member as lists show it. */
export interface ListedMember extends Member {
  userId: number | null;
  updatedAt: Date;
}

/** The rows that an import has taken so far. */
export interface ImportTotals {
  created: number;
  updated: number;
}

/**
 * One statement for a whole batch: the first line with an address in an import is the one that counts, whichever batches
 * the lines are in. Rows are taken in the order of their addresses, so that two imports cannot deadlock.
 */
const importSql = `
  WITH given AS (
    SELECT * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[])
      AS row (line, email, first_name, last_name, membershiptype)
  ), claimed AS (
    INSERT INTO member_import_lines (import_id, email, line)
    SELECT $1, email, line FROM given WHERE email = lower(email) ORDER BY email, line
    ON CONFLICT DO NOTHING
    RETURNING email, line
  ), stored AS (
    INSERT INTO members AS member (email, first_name, last_name, membershiptype, updated_at)
    SELECT email, first_name, last_name, membershiptype, $7
    FROM given JOIN claimed USING (email, line) ORDER BY email
    ON CONFLICT (email) DO UPDATE SET
      first_name = excluded.first_name, last_name = excluded.last_name,
      membershiptype = excluded.membershiptype, updated_at = excluded.updated_at,
      joined_at = CASE WHEN member.membershiptype = excluded.membershiptype THEN member.joined_at END
    WHERE (member.first_name, member.last_name, member.membershiptype)
      IS DISTINCT FROM (excluded.first_name, excluded.last_name, excluded.membershiptype)
    RETURNING xmax = 0 AS created
  ), refused AS (
    SELECT given.line, coalesce(claimed.line, earlier.line) AS first_line
    FROM given
      LEFT JOIN claimed ON claimed.email = given.email
      LEFT JOIN member_import_lines earlier ON earlier.import_id = $1 AND earlier.email = given.email
    WHERE given.line IS DISTINCT FROM claimed.line
  )
  SELECT
    (SELECT count(*) FROM stored WHERE created) AS created,
    (SELECT count(*) FROM stored WHERE NOT created) AS updated,
    (SELECT coalesce(json_agg(json_build_object('line', line, 'first_line', first_line) ORDER BY line), '[]')
     FROM refused) AS refused`;

interface ImportedRow extends ImportTotals {
  refused: { line: number; first_line: number | null }[];
}

@Injectable()
export class MembersRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** One page, by address, and how many there are in all. */
  async search(
    words: readonly string[],
    { limit, offset }: { limit: number; offset: number },
  ): Promise<{ members: ListedMember[]; total: number }> {
    const values = words.map((word) => {
      const literal = word.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`);
      // Fewer than three letters in a row are no trigram: such a word is looked up as the beginning of the address.
      return /[\p{L}\p{N}]{3}/u.test(word) ? `%${literal}%` : `${literal}%`;
    });
    const where = values
      .map((pattern, n) => `${pattern.startsWith('%') ? 'search_text' : 'email'} LIKE $${n + 1}`)
      .join(' AND ');
    const condition = where === '' ? '' : `WHERE ${where}`;
    const [members, [count]] = await Promise.all([
      this.dataSource.query<ListedMember[]>(
        // The account is looked up for the page alone.
        `SELECT page.*, users.id AS "userId" FROM (
           SELECT email, first_name AS "firstName", last_name AS "lastName", membershiptype,
             updated_at AS "updatedAt"
           FROM members ${condition} ORDER BY email
           LIMIT $${values.length + 1} OFFSET $${values.length + 2}
         ) page LEFT JOIN users ON users.email = page.email ORDER BY page.email`,
        [...values, limit, offset],
      ),
      this.dataSource.query<{ total: number }[]>(
        `SELECT count(*) AS total FROM members ${condition}`,
        values,
      ),
    ]);
    return { members, total: count?.total ?? 0 };
  }

  async byEmail(tx: EntityManager, email: string): Promise<Member | undefined> {
    const [member] = await tx.query<Member[]>(
      `SELECT email, first_name AS "firstName", last_name AS "lastName", membershiptype
       FROM members WHERE email = $1`,
      [email],
    );
    return member;
  }

  /** Notes that a member has signed in; true the first time, and once more after another `membershiptype`. */
  async markJoined(tx: EntityManager, email: string, now: Date): Promise<boolean> {
    const [, changed] = await tx.query<[unknown[], number]>(
      `UPDATE members SET joined_at = $2 WHERE email = $1 AND joined_at IS NULL`,
      [email, now],
    );
    return changed > 0;
  }

  /** Opens an import of an actor. */
  async begin(tx: EntityManager, actorId: number, now: Date): Promise<string> {
    const [row] = await tx.query<{ id: string }[]>(
      `INSERT INTO member_imports (actor_id, started_at) VALUES ($1, $2) RETURNING id`,
      [actorId, now],
    );
    return row!.id;
  }

  /**
   * Takes rows of an import; what one row has wrong concerns it alone.
   * @throws ApplicationError NOT_FOUND when there is no such import of the actor
   */
  async importRows(
    tx: EntityManager,
    { id, actorId }: { id: string; actorId: number },
    rows: readonly MemberRow[],
    now: Date,
  ): Promise<RowsImported> {
    // Locked, so that two batches of one import are taken one after the other.
    const [open] = await tx.query<unknown[]>(
      `SELECT FROM member_imports WHERE id::text = $1 AND actor_id = $2 FOR UPDATE`,
      [id, actorId],
    );
    if (!open) throw importNotFound();
    const [{ created, updated, refused } = noRows] = await tx.query<ImportedRow[]>(importSql, [
      id,
      rows.map(({ line }) => line),
      rows.map(({ email }) => email),
      rows.map(({ first_name }) => first_name),
      rows.map(({ last_name }) => last_name),
      rows.map(({ membershiptype }) => membershiptype),
      now,
    ]);
    await tx.query(
      `UPDATE member_imports SET created = created + $2, updated = updated + $3 WHERE id = $1`,
      [id, created, updated],
    );
    const errors = refused.map(({ line, first_line }) => ({
      line,
      message:
        first_line === null
          ? 'email has letters that cannot be folded to lower case.'
          : `email is on line ${first_line} already.`,
    }));
    return { created, updated, errors };
  }

  /**
   * Ends an import, and gives what it did.
   * @throws ApplicationError NOT_FOUND
   */
  async finish(tx: EntityManager, id: string, actorId: number): Promise<ImportTotals> {
    // The lines go with it.
    const [rows] = await tx.query<[ImportTotals[], number]>(
      `DELETE FROM member_imports WHERE id::text = $1 AND actor_id = $2 RETURNING created, updated`,
      [id, actorId],
    );
    if (!rows[0]) throw importNotFound();
    return rows[0];
  }
}

const noRows: ImportedRow = { created: 0, updated: 0, refused: [] };

function importNotFound(): ApplicationError {
  return ApplicationError.notFound('The import');
}

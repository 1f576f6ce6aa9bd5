import { type DatabaseSettings, runMigrations, withDirectDatabase } from '@mentorhub/persistence';
import { type TestDatabase, testDatabase } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../src/schema.js';

/** The migrations of the first version end with this time stamp. */
const firstVersion = 1_790_000_020_000;

describe('a database of the first version', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase('mentorship_migrations');
  });
  afterAll(() => database.drop());

  it('migrates with its mentors, sessions, ratings and double bookings', async () => {
    const settings: DatabaseSettings = { url: database.url, ...schema };
    const migrations = schema.migrations.filter(
      (migration) => Number(/\d{13}$/.exec(migration.name)?.[0]) <= firstVersion,
    );
    await runMigrations({ ...settings, migrations });
    await withDirectDatabase(settings, async (old) => {
      await old.query(`
        INSERT INTO mentors (id, user_id, status, title, description, skills, skill_keys, search_text,
          price_per_hour_minor, timezone, rating_sum, rating_count, completed_sessions, applied_at)
        VALUES
          (1, 11, 'approved', 'T', 'D', '{}', '{}', 't', 0, 'Europe/Berlin', 9, 2, 7, now()),
          (2, 12, 'approved', 'T', 'D', '{}', '{}', 't', 0, 'Europe/Berlin', 0, 0, 0, now())`);
      // Mentor 1 teaches in booking 1 and learns in booking 2 at the same time; booking 3 was missed.
      await old.query(`
        INSERT INTO bookings (id, mentor_id, mentee_user_id, starts_at, ends_at, blocked_from, blocked_until, status,
          payment_status, price_minor, currency, topic, created_at)
        SELECT id, mentor_id, mentee, at, at + interval '1 hour', at - before, at + interval '75 minutes', status,
          'not_required', 0, 'RUB', 'T', now()
        FROM (VALUES
          (1, 1, 21, 'confirmed', interval '15 minutes'),
          (2, 2, 11, 'pending', interval '0'),
          (3, 2, 22, 'no_show', interval '0')
        ) AS given (id, mentor_id, mentee, status, before), (VALUES ('2030-01-01T10:00Z'::timestamptz)) AS start (at)`);
    });

    await runMigrations(settings);
    await withDirectDatabase(settings, async (migrated) => {
      const participants = await migrated.query<unknown[]>(
        `SELECT booking_id, user_id, lower(during) AS starts_at FROM booking_participants ORDER BY 1, 2`,
      );
      expect(participants).toEqual([
        { booking_id: 1, user_id: 11, starts_at: new Date('2030-01-01T09:45Z') },
        { booking_id: 1, user_id: 21, starts_at: new Date('2030-01-01T10:00Z') },
        { booking_id: 2, user_id: 12, starts_at: new Date('2030-01-01T10:00Z') },
      ]);
      expect(
        await migrated.query<unknown[]>(
          'SELECT mentor_id, rating::float8, rating_count, completed_sessions FROM mentor_stats ORDER BY 1',
        ),
      ).toEqual([
        { mentor_id: 1, rating: 4.5, rating_count: 2, completed_sessions: 7 },
        { mentor_id: 2, rating: null, rating_count: 0, completed_sessions: 0 },
      ]);
      // What was booked before goes on.
      await migrated.query(`UPDATE bookings SET status = 'confirmed' WHERE id = 2`);
      await migrated.query(`UPDATE bookings SET status = 'cancelled_by_mentor' WHERE id = 1`);
      const left = await migrated.query<unknown[]>('SELECT booking_id FROM booking_participants');
      expect(left).toEqual([{ booking_id: 2 }]);
      expect(
        await migrated.query<unknown[]>('SELECT id, absent_party FROM bookings ORDER BY id'),
      ).toEqual([
        { id: 1, absent_party: null },
        { id: 2, absent_party: null },
        { id: 3, absent_party: 'mentee' },
      ]);
    });
  });
});

describe('a database without letters beyond ASCII', () => {
  it('is refused with what to do', async () => {
    const database = await testDatabase('mentorship_letters');
    const url = new URL(database.url);
    const name = `${url.pathname.slice(1)}_c`;
    const settings: DatabaseSettings = { url: url.href, ...schema };
    await withDirectDatabase(settings, (server) =>
      server.query(`CREATE DATABASE ${name} TEMPLATE template0 LC_CTYPE 'C'`),
    );
    try {
      url.pathname = `/${name}`;
      await expect(runMigrations({ ...settings, url: url.href })).rejects.toThrow(
        `The database "${name}" has LC_CTYPE "C", which knows no letters beyond ASCII`,
      );
    } finally {
      await withDirectDatabase(settings, (server) =>
        server.query(`DROP DATABASE ${name} WITH (FORCE)`),
      );
      await database.drop();
    }
  });
});

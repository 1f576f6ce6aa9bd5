import { type Contraction, type MigrationClass, withDirectDatabase } from '@mentorhub/persistence';
import { testDatabase, type TestDatabase } from '@mentorhub/testing';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectMigrations } from '../src/inspect.js';
import { releasedVersions } from '../src/releases.js';
import type { Finding } from '../src/rules.js';

class CreateShop1790000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TYPE colour AS ENUM ('red', 'blue');
      CREATE SEQUENCE tickets;
      CREATE TABLE owners (id integer PRIMARY KEY);
      CREATE TABLE shops (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL CONSTRAINT shops_name_key UNIQUE,
        owner_id integer,
        paint colour,
        stars smallint NOT NULL DEFAULT 0,
        CONSTRAINT shops_stars CHECK (stars >= 0)
      );
      CREATE INDEX shops_by_stars ON shops (stars);
      CREATE FUNCTION look_away() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER shops_changed AFTER UPDATE ON shops EXECUTE FUNCTION look_away();
      CREATE VIEW good_shops AS SELECT id FROM shops WHERE stars > 3;
      INSERT INTO shops (name) VALUES ('first');
    `);
  }

  async down(): Promise<void> {}
}

interface Planted {
  /** Sent one by one. */
  statements: string[];
  transaction?: boolean;
  contraction?: Contraction;
}

function planted({ statements, transaction, contraction }: Planted): MigrationClass {
  return class Planted1790000000001 implements MigrationInterface {
    readonly transaction = transaction;
    readonly contraction = contraction;

    async up(runner: QueryRunner): Promise<void> {
      for (const statement of statements) await runner.query(statement);
    }

    async down(): Promise<void> {}
  };
}

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase('planted');
});

afterAll(() => database.drop());

/** What is found in a migration that follows the one that makes the shop. */
function inspect(migration: Planted): Promise<Finding[]> {
  const settings = {
    url: database.directUrl,
    entities: [],
    migrations: [CreateShop1790000000000, planted(migration)],
  };
  return withDirectDatabase(settings, async (dataSource) => {
    await dataSource.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    return inspectMigrations(dataSource, {
      baseline: ['CreateShop1790000000000'],
      releases: ['0.1.0', '0.2.0'],
    });
  });
}

async function found(...statements: string[]): Promise<string[]> {
  return (await inspect({ statements })).map(({ rule, object }) => `${rule} ${object}`);
}

describe('a migration is refused when it', () => {
  it.each([
    ['drop shops', 'DROP TABLE shops CASCADE', 'drop good_shops'],
    ['drop shops.owner_id', 'ALTER TABLE shops DROP COLUMN owner_id'],
    ['drop good_shops', 'DROP VIEW good_shops'],
    ['drop shops_by_stars', 'DROP INDEX shops_by_stars'],
    ['drop shops_name_key', 'ALTER TABLE shops DROP CONSTRAINT shops_name_key'],
    ['drop shops_changed', 'DROP TRIGGER shops_changed ON shops'],
    ['drop look_away', 'DROP FUNCTION look_away CASCADE', 'drop shops_changed'],
    ['drop tickets', 'DROP SEQUENCE tickets'],
    ['drop colour', 'DROP TYPE colour CASCADE', 'drop shops.paint'],
    ['drop owners', 'DROP TABLE owners; CREATE TABLE owners (id integer PRIMARY KEY)'],
    [
      'drop shops.owner_id',
      "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || 'shops' || ' DROP owner_id'; END $$",
    ],
    ['rename shops', 'ALTER TABLE shops RENAME TO stores'],
    ['rename shops.name', 'ALTER TABLE shops RENAME name TO title'],
    ['rename shops_name_key', 'ALTER TABLE shops RENAME CONSTRAINT shops_name_key TO one_name'],
    ['rename tickets', 'ALTER SEQUENCE tickets RENAME TO numbers'],
    ['tighten shops.owner_id', 'ALTER TABLE shops ALTER owner_id SET NOT NULL'],
    ['tighten shops.stars', 'ALTER TABLE shops ALTER stars DROP DEFAULT'],
    ['tighten shops.city', 'ALTER TABLE shops ADD city text NOT NULL'],
    ['tighten shops_named', "ALTER TABLE shops ADD CONSTRAINT shops_named CHECK (name <> '')"],
    [
      'tighten shops_city',
      "ALTER TABLE shops ADD city text CONSTRAINT shops_city CHECK (city > '')",
    ],
    [
      'tighten shops_owner',
      'ALTER TABLE shops ADD CONSTRAINT shops_owner FOREIGN KEY (owner_id) REFERENCES owners',
    ],
    ['retype shops.owner_id', 'ALTER TABLE shops ALTER owner_id TYPE bigint'],
    ['rewrite shops', 'ALTER TABLE shops ADD seed double precision DEFAULT random()'],
    ['rewrite shops', 'TRUNCATE shops'],
    ['block shops_by_owner', 'CREATE INDEX shops_by_owner ON shops (owner_id)'],
    ['block shops_owner_key', 'ALTER TABLE shops ADD CONSTRAINT shops_owner_key UNIQUE (owner_id)'],
  ])('%s: %s', async (finding, statement, also?: string) => {
    const statements =
      finding === 'tighten shops.owner_id' || finding === 'tighten shops.city'
        ? ['DELETE FROM shops', statement]
        : [statement];
    expect((await found(...statements)).toSorted()).toEqual(
      [finding, ...(also ? [also] : [])].toSorted(),
    );
  });

  it('validates a constraint in the transaction that adds it', async () => {
    const add = "ALTER TABLE shops ADD CONSTRAINT shops_named CHECK (name <> '') NOT VALID";
    const validate = 'ALTER TABLE shops VALIDATE CONSTRAINT shops_named';
    expect(await found(add, validate)).toEqual(['tighten shops_named']);
    const begun = await inspect({
      statements: ['BEGIN', add, validate, 'COMMIT'],
      transaction: false,
    });
    expect(begun.map(({ rule }) => rule)).toEqual(['tighten']);
    expect(await inspect({ statements: [add, validate], transaction: false })).toEqual([]);
  });

  it('builds an index outside of a transaction, and not concurrently', async () => {
    const findings = await inspect({
      statements: ['CREATE INDEX shops_by_owner ON shops (owner_id)'],
      transaction: false,
    });
    expect(findings.map(({ message }) => message)).toEqual([
      'Planted1790000000001 builds the index shops_by_owner while nobody can write to shops. Set `transaction = false` and use CREATE INDEX CONCURRENTLY.',
    ]);
  });
});

describe('a migration may', () => {
  it.each([
    'CREATE TABLE visits (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops CHECK (shop_id > 0)); CREATE INDEX visits_shop ON visits (shop_id)',
    'CREATE TABLE scratch (id integer); DROP TABLE scratch',
    'ALTER TABLE shops ADD city text, ADD open boolean NOT NULL DEFAULT true',
    'ALTER TABLE shops ADD number integer GENERATED ALWAYS AS (stars + 1) VIRTUAL',
    'ALTER TABLE shops ALTER name DROP NOT NULL, DROP CONSTRAINT shops_stars',
    "ALTER TABLE shops ADD CONSTRAINT shops_named CHECK (name <> '') NOT VALID",
    "UPDATE shops SET name = 'second'",
    'CREATE OR REPLACE VIEW good_shops AS SELECT id, name FROM shops WHERE stars > 4',
  ])('%s', async (statement) => {
    expect(await found(statement)).toEqual([]);
  });

  it('build an index concurrently, and make a constraint of it', async () => {
    const statements = [
      'CREATE UNIQUE INDEX CONCURRENTLY shops_owner_key ON shops (owner_id)',
      'ALTER TABLE shops ADD CONSTRAINT shops_owner_key UNIQUE USING INDEX shops_owner_key',
    ];
    expect(await inspect({ statements, transaction: false })).toEqual([]);
  });
});

describe('a mark', () => {
  const statements = ['ALTER TABLE shops DROP COLUMN owner_id'];
  const contraction: Contraction = {
    unusedSince: '0.2.0',
    objects: ['shops.owner_id'],
    reason: 'Owners are in a table of their own.',
  };
  const marked = async (mark: Partial<Contraction>, ...more: string[]): Promise<string[]> => {
    const findings = await inspect({
      statements: [...statements, ...more],
      contraction: { ...contraction, ...mark },
    });
    return findings.map(({ message }) => message.replace('Planted1790000000001 ', ''));
  };

  it('excuses what it names', async () => {
    expect(await marked({})).toEqual([]);
  });

  it('excuses nothing else', async () => {
    expect(await marked({}, 'ALTER TABLE shops RENAME name TO title')).toEqual([
      'renames the column shops.name to shops.title. Add first, and contract in a release after the one that stopped using it.',
    ]);
  });

  it('names a release that is out', async () => {
    expect(await marked({ unusedSince: '0.3.0' })).toEqual([
      'is marked with the release 0.3.0, which CHANGELOG.md does not have. Contract after that release.',
    ]);
  });

  it('gives a reason, and names only what changes', async () => {
    expect(await marked({ reason: ' ', objects: ['shops.owner_id', 'shops.name'] })).toEqual([
      'is marked without a reason.',
      'is marked for shops.name, which it neither takes away nor tightens.',
    ]);
  });
});

it('a release is what has a section of its own in the changelog', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n## [0.2.0] - 2026-12-01\n\n## 0.1.0\n\n### 9.9.9';
  expect(releasedVersions(changelog)).toEqual(['0.2.0', '0.1.0']);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ServiceName, workspaceRoot } from '@mentorhub/local-system';

const url = (file: string): string => JSON.stringify(pathToFileURL(file).href);

/**
 * Writes a `migrate.js` of a next version of a service, whose migrations expand every table in the ways that older
 * processes can work with (CONTRIBUTING.md, “Change a table”), and make a table of their own.
 */
export function writeNextMigrate(service: ServiceName, folder: string): string {
  const app = join(workspaceRoot, 'apps', service);
  const kit = join(workspaceRoot, 'libs', 'service-kit', 'dist', 'index.js');
  const file = join(folder, `${service}-next-migrate.mjs`);
  writeFileSync(
    file,
    `
import { migrateAndExit } from ${url(kit)};
import { readConfig } from ${url(join(app, 'dist', 'config.js'))};
import { schema } from ${url(join(app, 'dist', 'schema.js'))};

const tables = (runner) => runner.query(
  "SELECT oid::regclass::text AS name, relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('migrations', 'next_things') ORDER BY relname",
);

class ExpandTables1990000000001 {
  // A table at a time: a transaction would keep all of them locked.
  transaction = false;
  async up(runner) {
    for (const { name } of await tables(runner)) {
      await runner.query(\`ALTER TABLE \${name} ADD COLUMN IF NOT EXISTS next_note text, ADD COLUMN IF NOT EXISTS next_count integer NOT NULL DEFAULT 7\`);
    }
    await runner.query('CREATE TABLE IF NOT EXISTS next_things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL)');
  }
  async down() {}
}

class IndexTables1990000000002 {
  transaction = false;
  async up(runner) {
    for (const { name, relname } of await tables(runner)) {
      await runner.query(\`DROP INDEX CONCURRENTLY IF EXISTS next_\${relname}\`);
      await runner.query(\`CREATE INDEX CONCURRENTLY next_\${relname} ON \${name} (next_note)\`);
    }
  }
  async down() {}
}

await migrateAndExit({
  name: ${JSON.stringify(service)},
  config: () => readConfig(process.env),
  schema: { ...schema, migrations: [...schema.migrations, ExpandTables1990000000001, IndexTables1990000000002] },
});
`,
  );
  return file;
}

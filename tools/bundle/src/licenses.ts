import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Package } from './packages.js';

/** Files that have to travel with the code. */
export const legalFile = /^(?:licen[cs]e|notice|copying)/i;

/** The notices that the licences of the bundled packages ask for, as one text. */
export function noticesOf(packages: Iterable<Package>): string {
  const byName = [...packages].toSorted((one, other) =>
    one.manifest.name < other.manifest.name ? -1 : 1,
  );
  return byName
    .map(({ folder, manifest }) => {
      const texts = readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isFile() && legalFile.test(entry.name))
        .map(({ name }) => readFileSync(join(folder, name), 'utf8').trim());
      const title = `${manifest.name} ${manifest.version} (${manifest.license ?? 'see below'})`;
      return [title, '='.repeat(title.length), ...texts, ''].join('\n\n');
    })
    .join('\n');
}

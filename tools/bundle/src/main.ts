import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { appNames, workspaceRoot } from './apps.js';
import { bundleApp } from './bundle.js';
import type { Manifest } from './packages.js';
import { type Sbom, sbomOf } from './sbom.js';

/*
 * Bundles an app into a folder: `main.js <app> <folder> [<SBOM of the workspace>]`, and with an SBOM writes that of the
 * app into the folder. Exit code 64 for wrong arguments, 1 for a failed bundle.
 */
const [app, folder, workspaceSbom] = process.argv.slice(2);
if (app === undefined || folder === undefined) {
  process.stderr.write(
    `Usage: main.js <app> <folder> [<SBOM of the workspace>], app one of ${appNames().join(', ')}\n`,
  );
  process.exit(64);
}

function manifestOf(...path: string[]): Manifest {
  const file = join(workspaceRoot, ...path, 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
}

try {
  const { entries, externals, missing, packages } = await bundleApp({
    app,
    folder: resolve(folder),
  });
  if (workspaceSbom !== undefined) {
    const whole = JSON.parse(readFileSync(workspaceSbom, 'utf8')) as Sbom;
    // The package brings the Node.js that the image runs on.
    const content = [...packages, manifestOf('node_modules', 'node')];
    const sbom = sbomOf(whole, manifestOf('apps', app), content);
    writeFileSync(resolve(folder, 'sbom.cdx.json'), JSON.stringify(sbom));
  }
  process.stdout.write(
    [
      `${app}: ${entries.join(', ')}`,
      `  packages beside it: ${externals.join(', ')}`,
      `  optional packages that are not installed: ${missing.join(', ') || 'none'}`,
      '',
    ].join('\n'),
  );
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

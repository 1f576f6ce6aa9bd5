import { parseArgs } from 'node:util';
import { type Credentials, importFile, ImportProblem } from './import-file.js';
import { ProgressBar, type Screen } from './progress-bar.js';

export const usage = `Usage: npm run members:import -- <file.csv> [--url http://localhost:8000] [--email <administrator>]

Imports the members of a CSV file into a running platform. The first line names the columns email, first_name,
last_name and membershiptype. The password is taken from ADMIN_PASSWORD, or an access token from ACCESS_TOKEN;
without either, the demo administrator of the local platform signs in.
`;

export interface Surroundings {
  environment: Record<string, string | undefined>;
  /** What was imported, and the lines that were not. */
  output: (text: string) => void;
  /** Progress and problems. */
  screen: Screen;
}

const demoAdministrator = { email: 'admin@demo.mentorhub.example', password: 'mentorhub-demo' };

/** The command: exit code 0 when every row was taken, 1 when some were not or nothing could be imported. */
export async function run(parameters: string[], surroundings: Surroundings): Promise<number> {
  const { environment, output, screen } = surroundings;
  let bar: ProgressBar | undefined;
  try {
    const { file, url, credentials } = read(parameters, environment);
    bar = new ProgressBar(screen, 'Importing');
    const answer = await importFile({
      file,
      url,
      credentials,
      onProgress: (share) => bar?.show(share),
    });
    bar.end();
    const { created, updated, errors, error_count: failed } = answer;
    output(`${created} created, ${updated} updated, ${failed} left out.\n`);
    for (const { line, message } of errors) output(`line ${line}: ${message}\n`);
    if (failed > errors.length) output(`… and ${failed - errors.length} more.\n`);
    return failed === 0 ? 0 : 1;
  } catch (error) {
    bar?.end();
    if (!(error instanceof ImportProblem)) throw error;
    screen.write(`${error.message}\n`);
    return 1;
  }
}

function read(
  parameters: string[],
  environment: Surroundings['environment'],
): { file: string; url: string; credentials: Credentials } {
  const { values, positionals } = parsed(parameters);
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new ImportProblem(usage);
  const url = values.url ?? environment['PUBLIC_URL'] ?? 'http://localhost:8000';
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ImportProblem(`“${url}” is no address: write it as http://localhost:8000.`);
  }
  const { ACCESS_TOKEN: token, ADMIN_EMAIL, ADMIN_PASSWORD: password } = environment;
  if (token) return { file, url, credentials: { token } };
  const email = values.email ?? ADMIN_EMAIL;
  if (email === undefined && password === undefined) {
    return { file, url, credentials: demoAdministrator };
  }
  if (!email || !password) {
    throw new ImportProblem(
      'Name the administrator with --email or ADMIN_EMAIL, and give the password in ADMIN_PASSWORD.',
    );
  }
  return { file, url, credentials: { email, password } };
}

function parsed(parameters: string[]) {
  try {
    return parseArgs({
      args: parameters,
      allowPositionals: true,
      options: { url: { type: 'string' }, email: { type: 'string' } },
    });
  } catch (error) {
    throw new ImportProblem(`${(error as Error).message}\n\n${usage}`);
  }
}

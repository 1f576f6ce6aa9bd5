import { spawn } from 'node:child_process';

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  environment?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Written to its standard input; default: nothing. */
  input?: string;
}

/** Runs a command to its end, whatever its exit code. @throws Error when it cannot be started */
export function attempt(
  command: string,
  parameters: readonly string[],
  { environment = process.env, cwd, input }: CommandOptions = {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, {
      cwd,
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // It may end without having read it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/** Runs a command and resolves to its standard output. @throws Error with its output when it fails */
export async function run(
  command: string,
  parameters: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const { code, stdout, stderr } = await attempt(command, parameters, options);
  if (code === 0) return stdout;
  throw new Error(
    `${[command, ...parameters].join(' ')} ended with ${code}:\n${`${stdout}\n${stderr}`.slice(-4000)}`,
  );
}

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { RawEnvironment, Variable, Variables } from './variables.js';

/** Most bytes of a file that holds the value of a variable; a PEM bundle has some thousands. */
const SIZE_LIMIT = 64 * 1024;

/** The names by which a variable may be set. */
export function namesOf(name: string, { readFrom }: Variable<unknown>): string[] {
  return readFrom?.map((source) => source.name) ?? [name];
}

/** The variable that may name a file with the value of a secret instead. */
export function fileVariable(name: string): string {
  return `${name}_FILE`;
}

export interface WithSecretFiles {
  /** The environment, with the secrets that files hold under the names of their variables. */
  environment: RawEnvironment;
  /** What is wrong, by the name of the secret's variable. */
  problems: ReadonlyMap<string, string>;
}

/**
 * Reads the files that are named instead of secrets: `SECRET_KEY_FILE` has the path of a file that holds `SECRET_KEY`.
 * Only secrets may come from files. A wrong path may be a secret that was set under the wrong name, so no problem shows it.
 */
export function readSecretFiles(
  environment: RawEnvironment,
  variables: Variables,
): WithSecretFiles {
  const read: Record<string, string> = {};
  const problems = new Map<string, string>();
  for (const [declared, variable] of Object.entries(variables)) {
    if (!variable.secret) continue;
    for (const name of namesOf(declared, variable)) {
      const file = fileVariable(name);
      const path = environment[file]?.trim();
      if (!path) continue;
      if (environment[name]?.trim()) {
        problems.set(name, `${name} and ${file} are both set: unset one of them.`);
        continue;
      }
      try {
        read[name] = readText(path);
      } catch (error) {
        problems.set(name, `${file} ${reasonOf(error)}. ${variable.desc}.`);
      }
    }
  }
  return { environment: { ...environment, ...read }, problems };
}

class UnusableFile extends Error {}

/** What a file says, without the blanks and the line ends around it. */
function readText(path: string): string {
  // Opening a pipe would wait for its writer.
  if (!statSync(path).isFile()) throw new UnusableFile('names something that is no file');
  const bytes = Buffer.alloc(SIZE_LIMIT + 1);
  let length = 0;
  const descriptor = openSync(path, 'r');
  try {
    for (;;) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      length += count;
      if (count === 0 || length === bytes.length) break;
    }
  } finally {
    closeSync(descriptor);
  }
  if (length > SIZE_LIMIT) {
    throw new UnusableFile(`names a file of more than ${SIZE_LIMIT} bytes, which is no secret`);
  }
  const text = decode(bytes.subarray(0, length)).trim();
  if (text === '') {
    throw new UnusableFile('names an empty file: write the value into it, or unset the variable');
  }
  return text;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UnusableFile('names a file that is not UTF-8 text');
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof UnusableFile) return error.message;
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return 'names a file that does not exist: create it, or correct the path';
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return `names a file that this process may not read (${code}): let its user read it`;
  }
  return `names a file that cannot be read (${code}): correct the path`;
}

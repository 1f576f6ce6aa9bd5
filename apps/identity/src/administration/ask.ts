import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { type Readable, Writable } from 'node:stream';
import { TaskProblem } from '@mentorhub/service-kit';

/** More than any password has. */
const mostCharacters = 4096;

/** Asks for a line in the terminal. */
export async function ask(question: string, { echo = true } = {}): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = echo ? process.stderr : silent;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  const interrupted = new AbortController();
  lines.on('SIGINT', () => interrupted.abort());
  try {
    if (!echo) process.stderr.write(question);
    return await lines.question(echo ? question : '', { signal: interrupted.signal });
  } catch (error) {
    if (interrupted.signal.aborted) process.exit(130);
    throw error;
  } finally {
    lines.close();
    if (!echo) process.stderr.write('\n');
  }
}

/**
 * A new password: from a file, from the standard input (`-`, or where that is no terminal), or asked for twice, without
 * echo.
 * @throws TaskProblem
 */
export async function readPassword(file: string | undefined): Promise<string> {
  if (file !== undefined && file !== '-') return readLine(createReadStream(file));
  if (file === '-' || !process.stdin.isTTY) return readLine(process.stdin);
  const password = await ask('Password: ', { echo: false });
  if ((await ask('The same again: ', { echo: false })) === password) return password;
  throw new TaskProblem('The passwords differ: nothing was changed. Try again.');
}

/** Without the end of the line, which editors and `echo` add. */
async function readLine(source: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of source.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > mostCharacters) break;
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TaskProblem(`The password cannot be read: ${reason}`);
  }
  text = text.replace(/\r?\n$/, '');
  if (text === '') throw new TaskProblem('There is no password: write one line with it.');
  if (text.includes('\n')) throw new TaskProblem('The password must be one line.');
  return text;
}

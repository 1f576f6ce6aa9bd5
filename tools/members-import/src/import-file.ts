import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { HttpErrorBody, MembersImported, SignedIn } from '@mentorhub/contracts';

/** How the command signs in: as an administrator, or with an access token of one. */
export type Credentials = { email: string; password: string } | { token: string };

export interface ImportOptions {
  file: string;
  /** Where the platform is reached, `http://localhost:8000`. */
  url: string;
  credentials: Credentials;
  /** Called as the file is read by the other side, with a share from 0 to 1. */
  onProgress: (share: number) => void;
}

/** What the person who runs the command can mend. */
export class ImportProblem extends Error {
  override readonly name = 'ImportProblem';
}

/**
 * Imports a file of members through the API. It is read no faster than it is imported, whatever its size.
 * @throws ImportProblem
 */
export async function importFile(options: ImportOptions): Promise<MembersImported> {
  const { file, url, credentials, onProgress } = options;
  const size = await sizeOf(file);
  const token = 'token' in credentials ? credentials.token : await signIn(url, credentials);
  let taken = 0;
  return send<MembersImported>(
    new URL('/api/v1/admin/members/import', url),
    {
      authorization: `Bearer ${token}`,
      'content-type': 'text/csv',
      'content-length': size,
    },
    async function* () {
      for await (const piece of createReadStream(file)) {
        yield piece as Buffer;
        // Back here once there is room again: the other side has taken what came before.
        taken += (piece as Buffer).length;
        onProgress(size === 0 ? 1 : Math.min(1, taken / size));
      }
    },
  );
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new ImportProblem(`${file} cannot be read: ${(error as Error).message}`);
  }
}

async function signIn(
  url: string,
  { email, password }: { email: string; password: string },
): Promise<string> {
  const body = JSON.stringify({ email, password });
  const answer = await send<Partial<SignedIn>>(
    new URL('/api/v1/auth/login', url),
    { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    Buffer.from(body),
  );
  if (answer.access_token === undefined) {
    throw new ImportProblem(
      `${email} has a second factor: sign in elsewhere, and give the access token in ACCESS_TOKEN.`,
    );
  }
  return answer.access_token;
}

/** Posts a body and gives the JSON of the answer. @throws ImportProblem */
async function send<Answer>(
  url: URL,
  headers: NonNullable<RequestOptions['headers']>,
  body: Buffer | (() => AsyncGenerator<Buffer>),
): Promise<Answer> {
  const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    headers,
  });
  const answered = new Promise<Answer>((resolve, reject) => {
    outgoing.on('error', (error) =>
      reject(
        new ImportProblem(
          `${url.origin} does not answer (${(error as NodeJS.ErrnoException).code ?? error.message}): start the platform with npm start, or name its address with --url.`,
        ),
      ),
    );
    outgoing.on('response', (response) => {
      text(response)
        .then((answer) => answerOf<Answer>(response.statusCode ?? 0, answer))
        .then(resolve, reject);
    });
  });
  // A refusal may come before all was sent; it says more than the broken connection.
  if (typeof body === 'function') pipeline(body, outgoing).catch(() => undefined);
  else outgoing.end(body);
  return answered;
}

function answerOf<Answer>(status: number, body: string): Answer {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new ImportProblem(`The answer (${status}) is not one of MentorHub: check --url.`);
  }
  if (status < 300) return parsed as Answer;
  const { detail, errors } = parsed as Partial<HttpErrorBody>;
  const fields = (errors ?? []).map(({ message }) => `\n  ${message}`).join('');
  throw new ImportProblem(`${detail ?? `The platform answered ${status}.`}${fields}`);
}

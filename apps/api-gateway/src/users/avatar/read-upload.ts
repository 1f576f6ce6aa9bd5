import { ApplicationError } from '@mentorhub/contracts';
import type { FastifyRequest } from 'fastify';
import type { OpenUpload } from './upload-budget.js';

/** Most bytes of an uploaded picture. */
export const maxUploadBytes = 5 * 1024 * 1024;

/** Room for what surrounds the file. */
const envelopeBytes = 16 * 1024;

const fieldName = 'file';

/** @throws ApplicationError UNSUPPORTED_MEDIA_TYPE */
export function requireMultipart({ headers, body, raw }: FastifyRequest): void {
  // The parser of multipart bodies hands the unread request on; any other body was read and parsed.
  if (body === raw && /^multipart\/form-data\s*(;|$)/i.test(headers['content-type'] ?? '')) return;
  throw new ApplicationError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Send the picture as multipart/form-data, in the field \`${fieldName}\`.`,
  );
}

/**
 * The one file of a multipart body, in its field `file`; its name and the type that the client gives it are not looked
 * at. Whatever goes wrong, the rest of the body is left to arrive unread: the client gets its answer.
 * @throws ApplicationError BODY_TOO_LARGE, VALIDATION_FAILED, MALFORMED_REQUEST, OVERLOADED
 */
export async function readUpload(
  { headers, raw }: FastifyRequest,
  upload: OpenUpload,
): Promise<Buffer> {
  if (Number(headers['content-length'] ?? 0) > maxUploadBytes + envelopeBytes) throw tooLarge();
  const { Busboy } = await import('@fastify/busboy');

  return new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let files = 0;
    const parser = newParser();
    const settle = (outcome: () => void): void => {
      raw.unpipe(parser);
      raw.off('data', count).off('close', gone).off('error', gone);
      upload.signal.removeEventListener('abort', givenUp);
      raw.resume();
      outcome();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const gone = (): void => {
      // A request that has come in whole is closed, too, while its end is still being parsed.
      if (!raw.complete) fail(broken());
    };
    const givenUp = (): void => fail(upload.signal.reason as Error);
    const count = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > maxUploadBytes + envelopeBytes) fail(tooLarge());
    };

    parser.on('file', (name, file) => {
      files += 1;
      // An error of the file is one of the parser, which reports it.
      file.on('error', () => {});
      if (name !== fieldName) {
        file.resume();
        return fail(unknownField(name));
      }
      file.on('limit', () => fail(tooLarge()));
      file.on('data', (chunk: Buffer) => {
        try {
          upload.grow(chunk.length);
          chunks.push(chunk);
        } catch (error) {
          fail(error as Error);
        }
      });
    });
    parser.on('field', (name) => fail(unknownField(name)));
    parser.on('filesLimit', () =>
      fail(ApplicationError.invalid(fieldName, `${fieldName} must be sent once.`)),
    );
    parser.on('error', () => fail(malformed()));
    parser.on('finish', () => {
      if (files === 0)
        return fail(ApplicationError.invalid(fieldName, `${fieldName} is required.`));
      const picture = Buffer.concat(chunks);
      settle(() => resolve(picture));
    });
    raw.on('data', count).on('close', gone).on('error', gone);
    upload.signal.addEventListener('abort', givenUp, { once: true });
    if (upload.signal.aborted) givenUp();
    else raw.pipe(parser);
  });

  function newParser(): InstanceType<typeof Busboy> {
    try {
      return new Busboy({
        headers: { ...headers, 'content-type': headers['content-type'] ?? '' },
        limits: {
          fileSize: maxUploadBytes,
          files: 1,
          fields: 1,
          fieldSize: 100,
          headerPairs: 20,
          headerSize: 4096,
        },
      });
    } catch {
      // No boundary.
      throw malformed();
    }
  }
}

function tooLarge(): ApplicationError {
  return new ApplicationError(
    'BODY_TOO_LARGE',
    'The picture has more than 5 MB: send a smaller one.',
  );
}

function unknownField(name: string): ApplicationError {
  const shown = name.slice(0, 100).toWellFormed();
  return ApplicationError.invalid(
    shown,
    `${shown} is not a known field: send the picture as \`${fieldName}\`.`,
  );
}

function malformed(): ApplicationError {
  return new ApplicationError('MALFORMED_REQUEST', 'The body is not valid multipart/form-data.');
}

function broken(): ApplicationError {
  return new ApplicationError('MALFORMED_REQUEST', 'The upload broke off: send it again.');
}

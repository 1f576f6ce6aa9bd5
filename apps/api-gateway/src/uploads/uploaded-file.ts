import type { IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { ApplicationError } from '@mentorhub/contracts';
import type { BusboyInstance } from '@fastify/busboy';
import type { FastifyRequest } from 'fastify';

/** The field of a form that has the file. */
const fileField = 'file';

/**
 * The bytes of the file that a request brings, as they arrive: its body, or the field `file` of a form. Whoever stops
 * reading leaves the rest to be read and thrown away, so that the client reads the answer.
 * @throws ApplicationError BODY_TOO_LARGE, MALFORMED_REQUEST when the upload breaks off, VALIDATION_FAILED without a
 *   file, UNSUPPORTED_MEDIA_TYPE
 */
export async function* uploadedFile(
  request: FastifyRequest,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  const { raw, headers } = request;
  try {
    const type = /^[^;\s]*/.exec(headers['content-type'] ?? '')?.[0].toLowerCase();
    if (request.body !== raw) throw unsupported();
    // A form is a little larger than its file.
    if (Number(headers['content-length']) > maxBytes + 4096) throw tooLarge(maxBytes);
    const file = type === 'multipart/form-data' ? await fileOf(raw) : raw;
    let bytes = 0;
    for await (const piece of pieces(file)) {
      bytes += piece.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield piece;
    }
  } finally {
    raw.unpipe();
    raw.resume();
  }
}

async function* pieces(stream: Readable): AsyncGenerator<Buffer> {
  try {
    // Destroyed, a request would take the connection along, and with it the answer.
    for await (const piece of stream.iterator({ destroyOnReturn: false })) yield piece as Buffer;
  } catch (error) {
    throw brokenOff(error);
  }
}

/** The file in a form; fields before it are passed over. */
async function fileOf(request: IncomingMessage): Promise<Readable> {
  const form = await formOf(request);
  return new Promise((resolve, reject) => {
    let found: Readable | undefined;
    form.on('file', (name, stream) => {
      if (name !== fileField || found) {
        stream.resume();
        return;
      }
      found = stream;
      // Until it is read; then the reader has its own.
      stream.on('error', () => undefined);
      resolve(stream);
    });
    pipeline(request, form, (error) => {
      // What was found ends by itself only when the form does.
      if (error) found?.destroy(error);
      reject(error ? brokenOff(error) : noFile());
    });
  });
}

/** @throws ApplicationError MALFORMED_REQUEST without a boundary */
async function formOf({ headers }: IncomingMessage): Promise<BusboyInstance> {
  const { Busboy: Form } = await import('@fastify/busboy');
  try {
    return new Form({
      headers: { 'content-type': headers['content-type'] ?? '' },
      limits: { fieldNameSize: 100, fieldSize: 1024, fields: 10, files: 2, headerPairs: 20 },
    });
  } catch (error) {
    throw brokenOff(error);
  }
}

function brokenOff(cause: unknown): ApplicationError {
  return new ApplicationError(
    'MALFORMED_REQUEST',
    'The upload ended before the file did, or is no well-formed form.',
    { cause },
  );
}

function noFile(): ApplicationError {
  return ApplicationError.invalid(
    fileField,
    'file is missing: send the CSV file as the field `file` of the form.',
  );
}

function tooLarge(maxBytes: number): ApplicationError {
  return new ApplicationError(
    'BODY_TOO_LARGE',
    `The file has more than ${maxBytes} bytes. Split it.`,
  );
}

function unsupported(): ApplicationError {
  return new ApplicationError(
    'UNSUPPORTED_MEDIA_TYPE',
    'Send the file as the body, with `Content-Type: text/csv`, or as the field `file` of `multipart/form-data`.',
  );
}

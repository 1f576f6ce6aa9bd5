import { errorStatus, type ErrorCode } from '@mentorhub/contracts';
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { ErrorBody } from '../http/errors/error-body.js';
import { ERROR_CODES } from '../routing/answers.decorator.js';

type PathItem = OpenAPIObject['paths'][string];
type Operation = NonNullable<PathItem['get']>;

const methods = ['get', 'put', 'post', 'patch', 'delete'] as const;

/** Routes that ask no service, so that none can be away. */
const answeredHere = /^\/(health(\/live)?|metrics|docs|redoc|openapi\.json)$/;

/** Adds to every operation the errors it can answer: those that its kind has, and those its route names. */
export function addErrorAnswers(document: OpenAPIObject): void {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of methods) {
      const operation = item[method];
      if (operation) addTo(operation, path);
    }
  }
}

function addTo(operation: Operation, path: string): void {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codesOf(operation, path))) {
    const status = errorStatus[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of [...byStatus].toSorted(([a], [b]) => a - b)) {
    operation.responses[status] ??= {
      description: codes.map((code) => `\`${code}\``).join(', '),
      content: { 'application/json': { schema: { $ref: getSchemaPath(ErrorBody) } } },
    };
  }
  delete (operation as { [ERROR_CODES]?: unknown })[ERROR_CODES];
}

function* codesOf(operation: Operation, path: string): Iterable<ErrorCode> {
  yield* (operation as { [ERROR_CODES]?: ErrorCode[] })[ERROR_CODES] ?? [];
  yield 'MALFORMED_REQUEST';
  const parameters = (operation.parameters ?? []).filter((parameter) => 'in' in parameter);
  if (operation.requestBody) {
    yield* ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED'] as const;
  }
  if (parameters.some((parameter) => parameter.in === 'query')) yield 'VALIDATION_FAILED';
  for (const parameter of parameters.filter((one) => one.in === 'path')) {
    yield 'NOT_FOUND';
    if (parameter.schema && 'type' in parameter.schema && parameter.schema.type === 'integer') {
      yield 'VALIDATION_FAILED';
    }
  }
  if (parameters.some(({ name }) => name === 'Idempotency-Key')) {
    yield* ['IDEMPOTENCY_KEY_REUSED', 'VALIDATION_FAILED'] as const;
  }
  if (operation.security?.some((scheme) => 'access_token' in scheme)) yield 'UNAUTHENTICATED';
  if (path.startsWith('/api/v1/admin/')) yield 'FORBIDDEN';
  yield 'INTERNAL';
  if (!answeredHere.test(path)) yield* ['SERVICE_UNAVAILABLE', 'DEADLINE_EXCEEDED'] as const;
}

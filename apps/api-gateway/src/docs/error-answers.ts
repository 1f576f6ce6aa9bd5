import { errorStatus, type ErrorCode } from '@mentorhub/contracts';
import { getSchemaPath, type OpenAPIObject } from '@nestjs/swagger';
import { ROUTE_ACCESS, type RouteAccess } from '../authentication/access.decorators.js';
import { ErrorBody } from '../http/errors/error-body.js';
import { ERROR_CODES } from '../routing/answers.decorator.js';

type PathItem = OpenAPIObject['paths'][string];

/** An operation with what our decorators say of it, which is not part of the document. */
type Operation = NonNullable<PathItem['get']> & {
  [ERROR_CODES]?: ErrorCode[];
  [ROUTE_ACCESS]?: RouteAccess;
};

const methods = ['get', 'put', 'post', 'patch', 'delete'] as const;

/** Routes that ask no service, so that none can be away. */
const answeredHere = /^\/(health(\/live)?|metrics|docs|redoc|openapi\.json)$/;

/** Adds to every operation the errors it can answer: those that its kind has, and those its route names. */
export function addErrorAnswers(document: OpenAPIObject): void {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of methods) {
      const operation: Operation | undefined = item[method];
      if (operation) addTo(operation, path, method);
    }
  }
}

function addTo(operation: Operation, path: string, method: string): void {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codesOf(operation, path, method))) {
    const status = errorStatus[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  // A parameter of more than 100 characters is answered with a status of its own.
  if (operation.parameters?.some((parameter) => 'in' in parameter && parameter.in === 'path')) {
    byStatus.set(414, ['MALFORMED_REQUEST']);
  }
  for (const [status, codes] of [...byStatus].toSorted(([a], [b]) => a - b)) {
    operation.responses[status] ??= {
      description: codes.map((code) => `\`${code}\``).join(', '),
      content: { 'application/json': { schema: { $ref: getSchemaPath(ErrorBody) } } },
    };
  }
  delete operation[ERROR_CODES];
  delete operation[ROUTE_ACCESS];
}

function* codesOf(operation: Operation, path: string, method: string): Iterable<ErrorCode> {
  yield* operation[ERROR_CODES] ?? [];
  yield 'MALFORMED_REQUEST';
  const parameters = (operation.parameters ?? []).filter((parameter) => 'in' in parameter);
  // A body that nobody wants is read all the same.
  if (method !== 'get') yield* ['BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const;
  if (operation.requestBody) yield 'VALIDATION_FAILED';
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
  const access = operation[ROUTE_ACCESS];
  if (access !== 'anonymous') yield 'UNAUTHENTICATED';
  if (access === 'admin') yield 'FORBIDDEN';
  yield 'INTERNAL';
  if (!answeredHere.test(path)) yield* ['SERVICE_UNAVAILABLE', 'DEADLINE_EXCEEDED'] as const;
}

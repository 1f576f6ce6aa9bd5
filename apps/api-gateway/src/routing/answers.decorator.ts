import { applyDecorators, Header, HttpCode, type Type } from '@nestjs/common';
import { ApiExtension, ApiResponse } from '@nestjs/swagger';
import type { ErrorCode } from '@mentorhub/contracts';

const description: Record<number, string> = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted.',
  204: 'Done; no body.',
  303: 'See the page that `Location` names.',
};

/** What a route answers when all went well: its status, and the shape of its JSON unless it has no body. */
export function Answers(status: 200 | 201 | 202 | 204, shape?: Type): MethodDecorator {
  const document = ApiResponse({ status, type: shape, description: description[status] });
  return shape
    ? applyDecorators(
        HttpCode(status),
        Header('content-type', 'application/json; charset=utf-8'),
        document,
      )
    : applyDecorators(HttpCode(status), document);
}

/** Key of the OpenAPI extension that lists the error codes of a route. */
export const ERROR_CODES = 'x-error-codes';

/** The errors a route has of its own, besides those that every route like it has. */
export const Fails = (...codes: ErrorCode[]): MethodDecorator => ApiExtension(ERROR_CODES, codes);

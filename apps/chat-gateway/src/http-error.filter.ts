import { httpErrorBody, type Problem } from '@mentorhub/contracts';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** This gateway has no routes: a plain HTTP request is answered with what it is for, in the REST error format. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const status = statusOf(error);
    void http
      .getResponse<FastifyReply>()
      .status(status)
      .send(httpErrorBody(problemOf(status), request.id, status));
  }
}

/** The status of an error of Nest or Fastify; 500 for any other. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' ? status : 500;
}

function problemOf(status: number): Pick<Problem, 'code' | 'detail'> {
  if (status === 404) {
    const detail = 'There is no such page here: open a WebSocket at /ws/chat.';
    return { code: 'NOT_FOUND', detail };
  }
  const code = status < 500 ? 'MALFORMED_REQUEST' : 'INTERNAL';
  return { code, detail: 'The request could not be handled.' };
}

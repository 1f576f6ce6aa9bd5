import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** This gateway has no routes: whoever speaks plain HTTP to it is told what it is for, in the REST error format. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const status = error instanceof HttpException ? error.getStatus() : 500;
    const detail =
      status === 404
        ? 'There is no such page here: open a WebSocket at /ws/chat.'
        : 'The request could not be handled.';
    void http
      .getResponse<FastifyReply>()
      .status(status)
      .header('x-request-id', request.id)
      .send({ detail, status_code: status, errors: [], request_id: request.id });
  }
}

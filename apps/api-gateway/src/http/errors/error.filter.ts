import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorAnswer, sendError } from './error-answer.js';

/** Answers whatever was thrown, before, in or after a route, in the one error format. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const answer = errorAnswer(error, request.id);
    if (answer.ours) this.report(error, answer.status, request);
    if (!reply.sent) sendError(reply, answer);
  }

  private report(
    error: unknown,
    status: number,
    { id, method, routeOptions }: FastifyRequest,
  ): void {
    const fields = { request_id: id, method, route: routeOptions.url, status };
    // 503 and 504: a service is away or slow, which it reports itself.
    if (status === 500) this.logger.error('A request failed.', error, fields);
    else this.logger.warn(error instanceof Error ? error.message : 'Not available.', fields);
  }
}

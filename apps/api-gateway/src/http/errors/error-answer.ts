import { STATUS_CODES } from 'node:http';
import { ApplicationError, type ErrorCode, httpErrorBody } from '@mentorhub/contracts';
import { failureHeaders } from '@mentorhub/http-server';
import { HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { ErrorBody } from './error-body.js';

/** An error as HTTP answers it. */
export interface ErrorAnswer {
  status: number;
  headers: Record<string, string>;
  body: ErrorBody & Record<string, unknown>;
  /** The fault is ours, or that of a service: to be logged. */
  ours: boolean;
}

/** What is said of a status that Fastify or Nest raised; never their own words, which may hold internals. */
const known: Partial<Record<number, { code: ErrorCode; detail: string }>> = {
  400: {
    code: 'MALFORMED_REQUEST',
    detail: 'The request could not be read. Send well-formed HTTP with a JSON body.',
  },
  401: { code: 'UNAUTHENTICATED', detail: 'Sign in: send `Authorization: Bearer <access token>`.' },
  403: { code: 'FORBIDDEN', detail: 'You may not do this.' },
  404: { code: 'NOT_FOUND', detail: 'There is nothing at this address. /docs lists every route.' },
  413: { code: 'BODY_TOO_LARGE', detail: 'The body is too large. Send less at once.' },
  414: { code: 'MALFORMED_REQUEST', detail: 'The address is too long. Shorten it.' },
  415: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'Send the body as JSON, with `Content-Type: application/json`.',
  },
  422: { code: 'VALIDATION_FAILED', detail: 'Some fields are invalid.' },
  429: { code: 'RATE_LIMITED', detail: 'Too many requests. Wait, then try again.' },
  503: {
    code: 'SERVICE_UNAVAILABLE',
    detail: 'This part of MentorHub is not available right now. Try again in a moment.',
  },
};

const internal: { code: ErrorCode; detail: string } = {
  code: 'INTERNAL',
  detail: 'Something went wrong on our side. Try again; if it stays, report the request id.',
};

/** Translates whatever was thrown into the one error format. */
export function errorAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof ApplicationError && error.code !== 'INTERNAL')
    return codedAnswer(error, requestId);
  return statusAnswer(statusOf(error), requestId);
}

/** The answer for a bare HTTP status, in the one error format. */
function statusAnswer(status: number, requestId: string): ErrorAnswer {
  const { code, detail } = known[status] ?? internal;
  return answer(status in known ? status : 500, new ApplicationError(code, detail), requestId);
}

/** Sends an error. It is never kept by caches, and carries no tag of what the route had begun to answer. */
export function sendError(reply: FastifyReply, { status, headers, body }: ErrorAnswer): void {
  // Fastify would hang up on a body that is too large while it still arrives, and the client would never read why.
  // Left open, the connection takes the rest, unread, for as long as a request may take.
  if (status === 413) reply.removeHeader('connection');
  reply.removeHeader('content-disposition');
  void reply
    .code(status)
    .headers({
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    })
    .send(JSON.stringify(body));
}

function codedAnswer(error: ApplicationError, requestId: string): ErrorAnswer {
  return answer(error.status, error, requestId);
}

function answer(status: number, error: ApplicationError, requestId: string): ErrorAnswer {
  return {
    status,
    headers: failureHeaders({ status, retryAfterSeconds: error.retryAfterSeconds }),
    body: {
      ...error.data,
      ...httpErrorBody(error, requestId, status),
      ...(status === 429 && { message: error.detail }),
    },
    ours: status >= 500,
  };
}

/** The status of an error of Fastify, Nest or the JSON parser; 500 for any other. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' && status in STATUS_CODES ? status : 500;
}

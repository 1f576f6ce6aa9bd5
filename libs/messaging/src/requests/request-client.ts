import { randomUUID } from 'node:crypto';
import {
  type Access,
  type ActorOf,
  ApplicationError,
  errorStatus,
  type Problem,
  type RequestContract,
} from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { InvalidArgumentError, type Msg } from '@nats-io/transport-node';
import { NoReplyError, ReplyRouter } from '../connection/reply-router.js';
import { rpcDuration, rpcRequests } from '../metrics.js';
import { requestContext } from '../request-context.js';
import { SpanKind, startSpan } from '../tracing.js';
import { encodeHeaders, header } from './headers.js';

/** The bytes of an answer: JSON, or empty when the handler returned nothing. */
export type RawReply = Buffer;

export interface SendOptions {
  /** Waits less than the contract says, in milliseconds. A nearer deadline of the running request still wins. */
  deadlineMs?: number;
}

/**
 * Sends requests to services. The current request's id, trace, locale, idempotency key and deadline travel along.
 *
 * Every failure is an `ApplicationError`: what the service answered, `DEADLINE_EXCEEDED` when no answer came in time,
 * `SERVICE_UNAVAILABLE` at once when no replica listens or NATS is unreachable.
 */
@Injectable()
export class RequestClient {
  constructor(private readonly replies: ReplyRouter) {}

  /**
   * Sends a request and returns the parsed answer.
   * @param actor who asks, where the contract has room for somebody
   */
  async request<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: ActorOf<A>,
    data: In,
    options?: SendOptions,
  ): Promise<Out> {
    const reply = await this.forward(contract, actor, data, options);
    return (reply.length === 0 ? undefined : JSON.parse(reply.toString())) as Out;
  }

  /** Sends a request and returns the answer's bytes unparsed, for a gateway to pass on. */
  async forward<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: ActorOf<A>,
    data: In,
    options?: SendOptions,
  ): Promise<RawReply> {
    const { subject } = contract;
    const context = requestContext.current();
    const start = Date.now();
    const deadline = Math.min(
      start + (options?.deadlineMs ?? contract.deadlineMs),
      context?.deadline ?? Number.POSITIVE_INFINITY,
    );
    const span = startSpan(`${subject} send`, SpanKind.CLIENT, context?.traceparent, {
      'messaging.system': 'nats',
      'messaging.destination.name': subject,
    });
    let code = 'OK';
    let failure: unknown;
    try {
      const timeLeftMs = deadline - start;
      if (timeLeftMs <= 0) throw deadlineExceeded();
      const headers = encodeHeaders(
        context?.requestId ?? randomUUID(),
        timeLeftMs,
        actor,
        context,
        span.traceparent,
      );
      const body = data === undefined ? '' : JSON.stringify(data);
      const reply = await this.replies.request(subject, body, headers, timeLeftMs);
      return answerOf(reply);
    } catch (error) {
      failure = error;
      const answered = toApplicationError(error);
      code = answered.code;
      throw answered;
    } finally {
      span.end(failure);
      rpcRequests.inc({ side: 'client', subject, code });
      rpcDuration.observe({ side: 'client', subject }, (Date.now() - start) / 1000);
    }
  }
}

function answerOf(reply: Msg): RawReply {
  const { data, headers } = reply;
  if (headers?.has(header.errorCode)) throw problemOf(reply);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The answered problem; a body that is none still yields its status. */
function problemOf(reply: Msg): ApplicationError {
  try {
    const problem = reply.json<Problem>();
    if (problem.code in errorStatus) return ApplicationError.fromProblem(problem);
  } catch (cause) {
    return new ApplicationError('INTERNAL', 'The service answered with an unreadable error.', {
      cause,
    });
  }
  return new ApplicationError('INTERNAL', reply.headers?.get(header.error) ?? 'Unknown error.');
}

function toApplicationError(error: unknown): ApplicationError {
  if (error instanceof ApplicationError) return error;
  if (error instanceof NoReplyError) {
    if (error.reason === 'timeout') return deadlineExceeded();
    return new ApplicationError(
      'SERVICE_UNAVAILABLE',
      'This part of MentorHub is not available right now. Try again in a moment.',
      { retryAfterSeconds: 1, cause: error },
    );
  }
  if (error instanceof InvalidArgumentError) {
    return new ApplicationError('BODY_TOO_LARGE', 'The request is too large. Send less at once.', {
      cause: error,
    });
  }
  return new ApplicationError('INTERNAL', 'The request could not be sent.', { cause: error });
}

function deadlineExceeded(): ApplicationError {
  return new ApplicationError(
    'DEADLINE_EXCEEDED',
    'No answer came in time. Check whether it took effect before you try again.',
  );
}

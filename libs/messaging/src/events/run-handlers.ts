import type { EventEnvelope } from '@mentorhub/contracts';
import type { EntityManager } from 'typeorm';
import { requestContext } from '../request-context.js';
import { SpanKind, startSpan } from '../tracing.js';
import type { EventHandler } from './event-handlers.js';

/** One event for one handler. */
export interface Call {
  readonly event: EventEnvelope;
  readonly handler: EventHandler;
  readonly traceparent: string | undefined;
}

/** A handler failed, rather than the database around it. */
export class HandlerError extends Error {
  override readonly name = 'HandlerError';
}

/**
 * Runs handlers one after another; those that follow each other for a handler of batches run as one.
 * @throws HandlerError with what the first failing one threw as its cause
 */
export async function runHandlers(calls: Iterable<Call>, tx: EntityManager): Promise<void> {
  for (const group of groupByRun(calls)) {
    try {
      await runHandler(group, tx);
    } catch (cause) {
      throw new HandlerError(`${group[0].handler.key} failed`, { cause });
    }
  }
}

function groupByRun(calls: Iterable<Call>): [Call, ...Call[]][] {
  const groups: [Call, ...Call[]][] = [];
  for (const call of calls) {
    const last = groups.at(-1);
    if (last && call.handler.batch && last[0].handler === call.handler) last.push(call);
    else groups.push([call]);
  }
  return groups;
}

/**
 * Runs the handler of events in the context of the first; its span links to the traces of the others.
 * @param calls all for one handler
 * @throws what it throws
 */
export async function runHandler(
  calls: readonly [Call, ...Call[]],
  tx: EntityManager,
): Promise<void> {
  const [{ event, handler, traceparent }, ...others] = calls;
  const attributes = {
    'messaging.system': 'nats',
    'messaging.destination.name': handler.subject,
    ...(others.length === 0
      ? { 'messaging.message.id': event.id }
      : { 'messaging.batch.message_count': calls.length }),
  };
  const span = startSpan(
    `${handler.subject} process`,
    SpanKind.CONSUMER,
    traceparent,
    attributes,
    others.map((other) => other.traceparent),
  );
  const events: [EventEnvelope, ...EventEnvelope[]] = [
    event,
    ...others.map((other) => other.event),
  ];
  const context = { requestId: event.id, traceparent: span.traceparent };
  try {
    await requestContext.run(context, () => span.run(() => handler.run(events, { tx })));
    span.end();
  } catch (error) {
    span.end(error);
    throw error;
  }
}

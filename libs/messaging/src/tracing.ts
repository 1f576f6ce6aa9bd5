import {
  type Attributes,
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

const tracer = trace.getTracer('@mentorhub/messaging');
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/;

/** A span that may be none: without a registered SDK only the traceparent is handed on. */
export interface TraceSpan {
  /** What to send along, so that the receiver continues this trace. */
  readonly traceparent: string | undefined;
  /** Runs `work` inside the span, so that what it calls becomes its child. */
  run<T>(work: () => T): T;
  end(error?: unknown): void;
}

/**
 * Starts a span.
 * @param parent traceparent that came with the message; without one the running span is the parent
 * @param others traceparents of what else the span is about
 */
export function startSpan(
  name: string,
  kind: SpanKind,
  parent: string | undefined,
  attributes: Attributes,
  others: readonly (string | undefined)[] = [],
): TraceSpan {
  const active = context.active();
  // The trace of a message takes precedence over the active one of this process.
  const remote = kind === SpanKind.CONSUMER || kind === SpanKind.SERVER || !trace.getSpan(active);
  const from = remote ? parseTraceparent(parent) : undefined;
  const parentContext = from ? trace.setSpanContext(ROOT_CONTEXT, from) : active;
  const links = others
    .flatMap((other) => parseTraceparent(other) ?? [])
    .map((linked) => ({ context: linked }));
  const span = tracer.startSpan(name, { kind, attributes, links }, parentContext);
  const spanContext = span.spanContext();
  if (!isSpanContextValid(spanContext) || spanContext.spanId === from?.spanId) {
    return { traceparent: parent, run: (work) => work(), end: ignore };
  }
  return {
    traceparent: formatTraceparent(spanContext),
    run: (work) => context.with(trace.setSpan(parentContext, span), work),
    end: (error) => endSpan(span, error),
  };
}

/** The traceparent of the running span, if an SDK is registered and one runs. */
export function activeTraceparent(): string | undefined {
  const active = trace.getActiveSpan()?.spanContext();
  return active && isSpanContextValid(active) ? formatTraceparent(active) : undefined;
}

function endSpan(span: Span, error: unknown): void {
  if (error !== undefined) {
    if (error instanceof Error) span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

function parseTraceparent(value: string | undefined): SpanContext | undefined {
  const match = value === undefined ? null : TRACEPARENT.exec(value);
  if (!match) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = match;
  const parsed = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parsed) ? parsed : undefined;
}

function ignore(): void {
  // There is no span.
}

export { SpanKind };

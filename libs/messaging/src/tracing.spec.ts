import {
  INVALID_SPAN_CONTEXT,
  type SpanOptions,
  SpanKind,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSpan } from './tracing.js';

const started: (SpanOptions | undefined)[] = [];

/** Notes what spans are started with. */
const tracer: Tracer = {
  startSpan: (_name, options) => {
    started.push(options);
    return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
  },
  startActiveSpan: () => {
    throw new Error('Spans are started one way only.');
  },
};

beforeAll(() => trace.setGlobalTracerProvider({ getTracer: () => tracer }));
afterAll(() => trace.disable());

it('a span links to the other traces it is about, and to nothing that is none', () => {
  const [first, second] = ['a', 'b'].map(
    (digit) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`,
  );
  startSpan('together', SpanKind.CONSUMER, first, {}, [second, undefined, 'no traceparent']);
  expect(started).toMatchObject([
    { links: [{ context: { traceId: 'b'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 } }] },
  ]);
});

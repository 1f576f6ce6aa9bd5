import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { diag, type DiagLogger, DiagLogLevel } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { register } from 'import-in-the-middle/register-hooks.mjs';
import type { Tracing } from './running-tracing.js';

const stopLimitMs = 2000;
const complainEveryMs = 60_000;

const ignore = (): void => undefined;

/** OpenTelemetry's complaints in our log, at most one a minute: a collector that is down fails every export. */
function complaints(): DiagLogger {
  const logger = new Logger('Tracing');
  let quietUntil = 0;
  const complain = (message: string): void => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + complainEveryMs;
    logger.warn(`Traces cannot be sent: ${message}`);
  };
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
}

/** See `startTracing`. */
export function startExporting(service: string, endpoint: string): Tracing {
  // CommonJS is patched when required; what ES modules import goes through this hook.
  register({ include: ['http', 'https', 'node:http', 'node:https', 'pg', 'pg-pool'] });
  diag.setLogger(complaints(), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const sdk = new NodeSDK({
    serviceName: service,
    traceExporter: new OTLPTraceExporter({
      url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
      timeoutMillis: 5000,
    }),
    // Metrics are scraped and logs are written to the standard output: no exporters for them.
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: ({ url = '' }) => /^\/(health|metrics)\b/.test(url),
        redactedQueryParamsServer: ['token', 'ticket', 'code'],
      }),
      // Only what a request or event causes: polling would be most of the spans.
      new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
    ],
  });
  sdk.start();
  return {
    stop: async () => {
      const logger = new Logger('Tracing');
      const finished = sdk.shutdown().catch((error: unknown) => {
        logger.warn('The last traces could not be sent.', error);
      });
      await Promise.race([finished, delay(stopLimitMs, undefined, { ref: false })]);
    },
  };
}

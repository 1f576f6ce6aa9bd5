import type { Tracing } from './running-tracing.js';

/**
 * Traces HTTP and PostgreSQL and exports by OTLP over HTTP to `endpoint`. To be awaited before the modules to be traced
 * are imported. Nothing of OpenTelemetry is loaded unless this is called. A collector that is down or slow costs spans,
 * never requests.
 */
export async function startTracing(service: string, endpoint: string): Promise<Tracing> {
  const { startExporting } = await import('./opentelemetry.js');
  return startExporting(service, endpoint);
}

import autocannon from 'autocannon';

export interface HttpLoad {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: () => string;
  connections?: number;
  seconds?: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Milliseconds. */
  p99: number;
}

/** Loads one address in a closed loop. Throws when any answer was not a 2xx: a fast error is no result. */
export async function loadHttp(load: HttpLoad): Promise<LoadResult> {
  const { url, method = 'GET', headers, body, connections = 32, seconds = 5 } = load;
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    requests: [
      {
        method,
        headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
        ...(body ? { setupRequest: (request) => ({ ...request, body: body() }) } : {}),
      },
    ],
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(
      `${method} ${url}: ${result.non2xx} answers were not 2xx, ${result.errors} errors.`,
    );
  }
  return { requestsPerSecond: result['2xx'] / result.duration, p99: result.latency.p99 };
}

import autocannon from 'autocannon';

export interface HttpLoad {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: () => string;
  connections?: number;
  seconds?: number;
}

/** Loads one address in a closed loop and returns the requests a second. Throws when any answer was not a 2xx: a fast error is no result. */
export async function requestsPerSecond(load: HttpLoad): Promise<number> {
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
  return result['2xx'] / result.duration;
}

import { requestContext } from '@mentorhub/messaging';
import type { CustomFetch } from 'openid-client';
import { ProviderRefusal, ProviderUnavailable } from './identity-provider.js';

/** Of one call; a sign-in makes up to three, and its request ends them all after five seconds. */
const timeoutMs = 2500;
/** Key sets and discovery documents have some thousands. */
const mostBytes = 256 * 1024;

/**
 * `fetch` for calls to providers: with a time limit, without following redirects, and reading no more of an answer than
 * any good one has.
 * @throws ProviderUnavailable
 */
export const callProvider: CustomFetch = async (url, { signal, ...options }) => {
  const signals = [signal, requestContext.current()?.signal, AbortSignal.timeout(timeoutMs)];
  let response: Response;
  let body: Uint8Array<ArrayBuffer> | null;
  try {
    response = await fetch(url, {
      ...(options as RequestInit),
      redirect: 'manual',
      signal: AbortSignal.any(signals.filter((one) => one !== undefined)),
    });
    body = await readBounded(response);
  } catch (cause) {
    if (cause instanceof ProviderUnavailable) throw cause;
    throw new ProviderUnavailable('The provider cannot be reached.', { cause });
  }
  if (response.status >= 500 || response.status === 429) {
    throw new ProviderUnavailable(`The provider answered ${response.status}.`);
  }
  return new Response(body, { status: response.status, headers: response.headers });
};

async function readBounded({ body }: Response): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!body) return null;
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the rest.
  for await (const chunk of body) {
    length += chunk.length;
    if (length > mostBytes) {
      throw new ProviderUnavailable('The provider answered more than any good answer has.');
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** What failed, as one of our two errors: those of libraries repeat what came from outside. */
export function providerError(error: unknown): ProviderUnavailable | ProviderRefusal {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProviderUnavailable || cause instanceof ProviderRefusal) return cause;
  }
  const { code, error: reason } = error as { code?: unknown; error?: unknown };
  // The provider does not know this client: a mistake in the configuration.
  if (reason === 'invalid_client' || reason === 'unauthorized_client') {
    return new ProviderUnavailable(
      'The provider refuses this client: check its id and secret in the configuration.',
      { cause: error },
    );
  }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') {
    return new ProviderUnavailable('The provider did not answer in time.', { cause: error });
  }
  return new ProviderRefusal(typeof code === 'string' ? code : 'unknown', { cause: error });
}

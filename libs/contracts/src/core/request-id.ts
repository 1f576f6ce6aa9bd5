const sane = /^[\w.-]{1,128}$/;

/** What of an HTTP request the id is taken from. */
export interface IdentifiedRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The id of a request: the client's own `X-Request-ID` if it is 1 to 128 of letters, digits, `.`, `_` and `-`. */
export function requestIdOf({ headers }: IdentifiedRequest): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && sane.test(sent) ? sent : crypto.randomUUID();
}

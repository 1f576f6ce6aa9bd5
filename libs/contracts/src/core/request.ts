import type { Caller } from './caller.js';
import type { FieldChecks } from './field-checks.js';

/**
 * Who may send a request.
 * - `public`: anyone; the handler gets the caller if there is one
 * - `user`: any signed-in user
 * - `admin`: a signed-in user with the role `admin`
 * - `service`: other apps only; no gateway route leads to it without a rule of its own
 */
export type Access = 'public' | 'user' | 'admin' | 'service';

/** Who a request is sent for, by access: a user where one must be signed in, nobody where only other apps ask. */
export type ActorOf<A extends Access> = A extends 'user' | 'admin'
  ? Caller
  : A extends 'public'
    ? Caller | undefined
    : undefined;

/** A request between apps: where it goes, who may send it, and the shapes of question and answer. */
export interface RequestContract<In, Out, A extends Access = Access> {
  /** NATS subject, `rpc.<service>.<resource>.<action>`. */
  readonly subject: string;
  readonly access: A;
  /** How long the sender waits, in milliseconds, unless its own deadline is nearer. */
  readonly deadlineMs: number;
  /** What the service checks before its handler runs. */
  readonly fields?: FieldChecks;
  /** Carries the types; never set. */
  readonly shapes?: { readonly in: In; readonly out: Out };
}

export interface RequestOptions {
  /** Default 5000. */
  deadlineMs?: number;
  /** For requests that no DTO of a gateway checks. */
  fields?: FieldChecks;
}

type Define<A extends Access> = <In, Out>(
  path: `${string}.${string}.${string}`,
  options?: RequestOptions,
) => RequestContract<In, Out, A>;

function define<A extends Access>(access: A): Define<A> {
  return (path, { deadlineMs = 5000, fields } = {}) => ({
    subject: `rpc.${path}`,
    access,
    deadlineMs,
    fields,
  });
}

/** Declares a request by who may send it: `request.user<BookSession, SessionView>('mentorship.bookings.book')`. */
export const request = {
  public: define('public'),
  user: define('user'),
  admin: define('admin'),
  service: define('service'),
};

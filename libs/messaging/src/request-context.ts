import { AsyncLocalStorage } from 'node:async_hooks';
import type { Caller, Locale } from '@mentorhub/contracts';

/** What is known about the request or event being handled. Travels with every request sent meanwhile. */
export interface RequestContext {
  readonly requestId: string;
  /** W3C traceparent. */
  readonly traceparent?: string;
  /** When the sender stops waiting, in unix milliseconds by the clock of this process. */
  readonly deadline?: number;
  readonly caller?: Caller;
  readonly locale?: Locale;
  readonly idempotencyKey?: string;
  /** Fires when the deadline passes; pass it on to work that can be abandoned. */
  readonly signal?: AbortSignal;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the running request or event, without passing it through every function. */
export const requestContext = {
  /** `undefined` outside of a request or event. */
  current(): RequestContext | undefined {
    return storage.getStore();
  },

  /** Runs `work`, and whatever it starts, in a context. */
  run<T>(context: RequestContext, work: () => T): T {
    return storage.run(context, work);
  },
};

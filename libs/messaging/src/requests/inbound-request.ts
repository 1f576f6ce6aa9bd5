import type { Caller, Locale } from '@mentorhub/contracts';
import type { RequestContext } from '../request-context.js';
import type { InboundHeaders } from './headers.js';

/** A request being handled. Its abort signal is made only for handlers that ask for it. */
export class InboundRequest implements RequestContext {
  traceparent?: string;
  readonly caller?: Caller;
  readonly locale?: Locale;
  readonly idempotencyKey?: string;
  /** Whether the deadline has passed. */
  expired = false;
  private controller?: AbortController;

  constructor(
    readonly requestId: string,
    readonly deadline: number,
    { traceparent, caller, locale, idempotencyKey }: InboundHeaders,
  ) {
    this.traceparent = traceparent;
    this.caller = caller;
    this.locale = locale;
    this.idempotencyKey = idempotencyKey;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.expired) this.abort(this.controller);
    }
    return this.controller.signal;
  }

  expire(): void {
    this.expired = true;
    if (this.controller) this.abort(this.controller);
  }

  private abort(controller: AbortController): void {
    controller.abort(new DOMException('The deadline of the request has passed.', 'TimeoutError'));
  }
}

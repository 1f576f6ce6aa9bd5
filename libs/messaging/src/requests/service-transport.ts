import {
  ApplicationError,
  type ErrorCode,
  faultIn,
  type RequestContract,
} from '@mentorhub/contracts';
import { HttpException, Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import {
  headers as newHeaders,
  InvalidArgumentError,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { isObservable, lastValueFrom } from 'rxjs';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { INBOXES, NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import { type EventCallback, EventHandlers } from '../events/event-handlers.js';
import { EventWorker } from '../events/event-worker.js';
import type { EventHandlerExtras } from '../events/on-event.decorator.js';
import type { MessagingOptions, ServiceMessagingOptions } from '../messaging.options.js';
import { rpcDuration, rpcInFlight, rpcRequests } from '../metrics.js';
import { filterOf } from '../nats-permissions.js';
import { requestContext } from '../request-context.js';
import { MESSAGING_OPTIONS, SERVICE_MESSAGING_OPTIONS, TRANSPORT } from '../tokens.js';
import { SpanKind, startSpan } from '../tracing.js';
import type { HandlerExtras } from './handle.decorator.js';
import { decodeHeaders, header, headerValue } from './headers.js';
import { InboundRequest } from './inbound-request.js';

interface Endpoint {
  contract: RequestContract<unknown, unknown>;
  handler: MessageHandler;
}

/** Codes for the HTTP errors that guards and pipes of Nest throw. */
const codeOfStatus: Partial<Record<number, ErrorCode>> = {
  400: 'MALFORMED_REQUEST',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  409: 'CONFLICT',
  422: 'VALIDATION_FAILED',
  429: 'RATE_LIMITED',
};

/**
 * The microservice transport of every service: answers its requests on core NATS and runs its event handlers from
 * JetStream. Replicas share the requests through a queue group named as the service.
 */
@Injectable()
export class ServiceTransport extends Server implements CustomTransportStrategy, OnModuleDestroy {
  override readonly transportId = TRANSPORT;
  /** Failures of event handlers are ours to count, log and repeat. */
  override readonly propagatesEventHandlerErrors = true;

  private readonly connection: NatsConnection;
  private readonly maxInFlight: number;
  private subscriptions: Subscription[] = [];
  private inFlight = 0;
  private idle?: () => void;
  private closing?: Promise<void>;

  constructor(
    private readonly nats: NatsConnectionProvider,
    private readonly events: EventHandlers,
    private readonly worker: EventWorker,
    @Inject(MESSAGING_OPTIONS) private readonly app: MessagingOptions,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    super();
    this.connection = nats.connection;
    this.maxInFlight = options.maxInFlight ?? 512;
  }

  /** Registers a handler found by Nest. @throws when a request has two handlers */
  override addHandler(
    subject: string,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Partial<HandlerExtras & EventHandlerExtras> = {},
  ): void {
    if (isEventHandler) {
      const { handler, batch = false, versions = {} } = extras;
      if (!handler) throw new Error(`The handler of "${subject}" lacks @OnEvent or @OnEventBatch.`);
      requireReadable(this.app.service, subject);
      this.events.register(subject, { handler, batch, versions }, callback as EventCallback);
      return;
    }
    if (!extras.contract) throw new Error(`The handler of "${subject}" lacks @Handle.`);
    if (this.messageHandlers.has(subject)) throw new Error(`"${subject}" has two handlers.`);
    super.addHandler(subject, callback, false, extras);
  }

  /** Begins to answer requests and to relay and handle events. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      for (const [subject, handler] of this.messageHandlers) {
        const { contract } = handler.extras as HandlerExtras;
        this.subscriptions.push(this.serve(subject, { contract, handler }));
      }
      if (this.nats.health().connected) await this.connection.flush();
      this.worker.start();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /**
   * Stops in the order that loses nothing: no new requests, requests in flight, the batch of events in hand, the
   * relay. The NATS connection and the database stay open until the app has shut down.
   */
  close(): Promise<void> {
    this.closing ??= this.drain();
    return this.closing;
  }

  /** Nest runs these hooks before it closes transports when a signal ends the app. */
  onModuleDestroy(): Promise<void> {
    return this.close();
  }

  on(): never {
    throw new Error('ServiceTransport emits no events; see NatsConnectionProvider.onChange.');
  }

  unwrap<T = NatsConnection>(): T {
    return this.connection as T;
  }

  private async drain(): Promise<void> {
    const drained = (async () => {
      await this.stopRequests();
      await this.worker.stop();
    })();
    const limit = new AbortController();
    const timeoutMs = this.options.drainTimeoutMs ?? 15_000;
    await Promise.race([
      drained,
      delay(timeoutMs, undefined, { signal: limit.signal, ref: false }),
    ]);
    limit.abort();
  }

  private async stopRequests(): Promise<void> {
    const subscriptions = this.subscriptions;
    this.subscriptions = [];
    if (this.nats.health().connected) {
      // A connection that is lost meanwhile has no requests left to hand over.
      await Promise.allSettled(subscriptions.map((subscription) => subscription.drain()));
    } else {
      for (const subscription of subscriptions) subscription.unsubscribe();
    }
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.idle = resolve));
  }

  private serve(subject: string, endpoint: Endpoint): Subscription {
    return this.connection.subscribe(subject, {
      queue: this.app.service,
      callback: (error, message) => {
        if (error) this.logger.error(error);
        else void this.receive(endpoint, message);
      },
    });
  }

  /** Handles one request from its arrival to its answer. Never rejects. */
  private async receive(endpoint: Endpoint, message: Msg): Promise<void> {
    const { contract, handler } = endpoint;
    const { subject } = contract;
    // What JetStream delivers names no inbox. It delivers in the server's name wherever a consumer says, so it would
    // carry a service's message past the permissions that keep it from sending requests under any caller's name.
    if (!message.reply?.startsWith(INBOXES)) {
      this.logger.warn(`a message on ${subject} is no request: nobody waits for its answer`);
      return;
    }
    if (this.inFlight >= this.maxInFlight) {
      this.answerError(message, subject, overloaded());
      rpcRequests.inc({ side: 'server', subject, code: 'OVERLOADED' });
      return;
    }
    rpcInFlight.set(++this.inFlight);
    const start = performance.now();
    let code: string = 'OK';
    try {
      const request = openRequest(message, contract);
      const data = parseBody(message);
      requireFields(data, contract);
      const timer = setTimeout(() => {
        request.expire();
        this.answerError(message, subject, lateHandler());
      }, request.deadline - Date.now());
      const span = startSpan(`${subject} process`, SpanKind.SERVER, request.traceparent, {
        'messaging.system': 'nats',
        'messaging.destination.name': subject,
      });
      request.traceparent = span.traceparent;
      try {
        const result = await requestContext.run(request, () =>
          span.run(() => completion(handler(data, request))),
        );
        span.end();
        if (request.expired) code = 'DEADLINE_EXCEEDED';
        else code = this.answer(message, subject, result, request.requestId);
      } catch (error) {
        const problem = this.explain(error, subject, request.requestId);
        code = request.expired ? 'DEADLINE_EXCEEDED' : problem.code;
        span.end(error);
        if (!request.expired) this.answerError(message, subject, problem);
      } finally {
        clearTimeout(timer);
      }
    } catch (error) {
      const problem = this.explain(error, subject, message.headers?.get(header.requestId) ?? '');
      code = problem.code;
      this.answerError(message, subject, problem);
    } finally {
      rpcRequests.inc({ side: 'server', subject, code });
      rpcDuration.observe({ side: 'server', subject }, (performance.now() - start) / 1000);
      rpcInFlight.set(--this.inFlight);
      if (this.inFlight === 0) this.idle?.();
    }
  }

  /** Answers with a result; returns the outcome for the metrics. */
  private answer(message: Msg, subject: string, result: unknown, requestId: string): string {
    try {
      this.respond(message, result === undefined ? '' : JSON.stringify(result));
      return 'OK';
    } catch (error) {
      const reason =
        error instanceof InvalidArgumentError
          ? `its answer exceeds the ${this.connection.info?.max_payload} bytes of a NATS message`
          : String(error);
      this.logger.error(`${subject} could not answer: ${reason} (request ${requestId})`);
      this.answerError(message, subject, internal(error));
      return 'INTERNAL';
    }
  }

  private answerError(message: Msg, subject: string, error: ApplicationError): void {
    const sent = newHeaders();
    sent.append(header.error, headerValue(`${error.code} ${error.detail}`) || error.code);
    sent.append(header.errorCode, String(error.status));
    try {
      this.respond(message, JSON.stringify(error.toProblem()), sent);
    } catch (failure) {
      this.logger.error(`${subject} could not answer an error: ${String(failure)}`);
    }
  }

  private respond(message: Msg, body: string, sent?: MsgHdrs): void {
    if (message.reply) this.nats.publish(message.reply, body, { headers: sent });
  }

  /** The error as the sender may see it. An unexpected one is logged and answered as `INTERNAL`. */
  private explain(error: unknown, subject: string, requestId: string): ApplicationError {
    if (error instanceof ApplicationError) return error;
    const classified = this.options.classify?.(error);
    if (classified) {
      const line = `${subject}: ${classified.code}, ${String(error)} (request ${requestId})`;
      // One below 500 blames the sender, whom a check that is missing here let through.
      if (classified.status < 500) this.logger.error(line, stackOf(error));
      else this.logger.warn(line);
      return classified;
    }
    if (error instanceof HttpException) {
      const code = codeOfStatus[error.getStatus()];
      if (code) return new ApplicationError(code, error.message, { cause: error });
    }
    this.logger.error(`${subject} failed: ${String(error)} (request ${requestId})`, stackOf(error));
    return internal(error);
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** @throws when the consumer of this service does not bring an event that it handles */
function requireReadable(service: string, subject: string): void {
  const [, source = ''] = subject.split('.');
  const filter = filterOf(service, source);
  const tokens = subject.split('.');
  const brings = filter
    .split('.')
    .every((token, at) => token === '>' || token === '*' || token === tokens[at]);
  if (!brings) {
    throw new Error(
      `${service} handles "${subject}", but its consumer brings "${filter}": widen eventFilters in nats-permissions.ts.`,
    );
  }
}

/** Reads principal and deadline, and refuses principals that the contract does not allow. @throws ApplicationError */
function openRequest(message: Msg, contract: RequestContract<unknown, unknown>): InboundRequest {
  const sent = decodeHeaders(message.headers);
  const now = Date.now();
  const request = new InboundRequest(
    sent.requestId ?? randomUUID(),
    now + (sent.timeLeft ?? contract.deadlineMs),
    sent,
  );
  if (request.deadline <= now) {
    throw new ApplicationError('DEADLINE_EXCEEDED', 'The request arrived after its deadline.');
  }
  const { access } = contract;
  if ((access === 'user' || access === 'admin') && !request.caller) {
    throw new ApplicationError('UNAUTHENTICATED', 'Sign in first: send a valid access token.');
  }
  if (access === 'admin' && !request.caller?.roles.includes('admin')) {
    throw new ApplicationError('FORBIDDEN', 'Only an administrator may do this.');
  }
  return request;
}

function parseBody(message: Msg): unknown {
  if (message.data.length === 0) return undefined;
  try {
    return message.json();
  } catch (cause) {
    throw new ApplicationError('MALFORMED_REQUEST', 'The request is not valid JSON.', { cause });
  }
}

/** @throws ApplicationError VALIDATION_FAILED */
function requireFields(data: unknown, { fields }: RequestContract<unknown, unknown>): void {
  const fault = fields && faultIn(data, fields);
  if (!fault) return;
  const { field, must } = fault;
  throw ApplicationError.invalid(field, `${field || 'The request'} must be ${must}.`);
}

/** Nest hands errors, and the results of interceptors, back as an observable. */
async function completion(result: unknown): Promise<unknown> {
  const value = await result;
  return isObservable(value) ? await lastValueFrom(value, { defaultValue: undefined }) : value;
}

function overloaded(): ApplicationError {
  return new ApplicationError(
    'OVERLOADED',
    'Too much is going on right now. Try again in a moment.',
    {
      retryAfterSeconds: 1,
    },
  );
}

function lateHandler(): ApplicationError {
  return new ApplicationError(
    'DEADLINE_EXCEEDED',
    'This took too long. Check whether it took effect before you try again.',
  );
}

function internal(cause: unknown): ApplicationError {
  return new ApplicationError('INTERNAL', 'Something went wrong on our side.', { cause });
}

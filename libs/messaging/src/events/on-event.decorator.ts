import type { EventContract, EventEnvelope } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { EntityManager } from 'typeorm';
import { TRANSPORT } from '../tokens.js';

/** What a handler of an event gets beside the event. */
export interface EventContext {
  /** The transaction that writes the receipt. */
  readonly tx: EntityManager;
}

/** What `ServiceTransport` reads back of an event handler. */
export interface EventHandlerExtras {
  handler: string;
  /** It takes several events at once. */
  batch: boolean;
  /** The version of each event that it knows, by subject. */
  versions: Readonly<Record<string, number>>;
}

export interface OnEventOptions {
  /**
   * Name of the handler in the inbox, `Class.method` by default. Set it when the class or method is renamed: events
   * that are delivered again would otherwise run the renamed handler once more.
   */
  key?: string;
}

const Transaction = createParamDecorator(
  (_: unknown, execution: ExecutionContext): EntityManager =>
    execution.switchToRpc().getContext<EventContext>().tx,
);

const HANDLED = Symbol('HANDLED');

/**
 * Makes a controller method the handler of one or several kinds of event: `method(event, tx)`.
 *
 * It runs inside the transaction that writes the receipt, so its effect through `tx` happens exactly once. When it
 * throws, everything is rolled back and tried again after 1 s, 5 s, 30 s, 2 min and 10 min; then the event goes to
 * `dead_letters`. Meanwhile later events of its aggregate wait for all handlers of the service. A method has at most one `@OnEvent` or `@OnEventBatch`.
 */
export function OnEvent<Data>(
  contracts: EventContract<Data> | readonly EventContract<Data>[],
  options: OnEventOptions = {},
) {
  return handlerOf<EventEnvelope<Data>>([contracts].flat(), options, false);
}

/**
 * {@link OnEvent} for a method that takes several events at once, `method(events, tx)`, in their order: those of a batch
 * that follow each other. For events that come by the hundreds in a second. When it throws, all is rolled back and each
 * event comes alone, with the same retries. Where a service has another handler of these events, the two take turns, and
 * they come one by one.
 */
export function OnEventBatch<Data>(
  contracts: EventContract<Data> | readonly EventContract<Data>[],
  options: OnEventOptions = {},
) {
  return handlerOf<readonly EventEnvelope<Data>[]>([contracts].flat(), options, true);
}

function handlerOf<Handled>(
  contracts: readonly EventContract<unknown>[],
  options: OnEventOptions,
  batch: boolean,
) {
  return <Method extends (handled: Handled, tx: EntityManager) => Promise<void> | void>(
    target: object,
    key: string,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    const handler = options.key ?? `${target.constructor.name}.${key}`;
    if (Reflect.hasOwnMetadata(HANDLED, target, key)) {
      throw new Error(`${handler} has two @OnEvent or @OnEventBatch: name all its events in one.`);
    }
    Reflect.defineMetadata(HANDLED, true, target, key);
    Payload()(target, key, 0);
    Transaction()(target, key, 1);
    const subjects = contracts.map(({ subject }) => subject);
    const versions = Object.fromEntries(
      contracts.map(({ subject, version }) => [subject, version]),
    );
    const extras: EventHandlerExtras = { handler, batch, versions };
    EventPattern<string[]>(subjects, TRANSPORT, { ...extras })(
      target,
      key,
      descriptor as PropertyDescriptor,
    );
  };
}

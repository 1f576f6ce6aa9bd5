import type { Access, ActorOf, Caller, RequestContract } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { TRANSPORT } from '../tokens.js';
import type { RequestContext } from '../request-context.js';

/** What `ServiceTransport` reads back of a handler. */
export interface HandlerExtras {
  contract: RequestContract<unknown, unknown>;
}

const Actor = createParamDecorator(
  (_: unknown, execution: ExecutionContext): Caller | undefined =>
    execution.switchToRpc().getContext<RequestContext>().caller,
);

/**
 * Makes a controller method the handler of a request: `method(actor, request)`, checked against the contract.
 * Access is enforced before it runs. What it returns is the answer; a `ApplicationError` it throws reaches the sender,
 * any other error is logged and answered `INTERNAL`.
 */
export function Handle<In, Out, A extends Access>(contract: RequestContract<In, Out, A>) {
  return <Method extends (actor: ActorOf<A>, request: In) => Out | Promise<Out>>(
    target: object,
    key: string,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    Actor()(target, key, 0);
    Payload()(target, key, 1);
    MessagePattern(contract.subject, TRANSPORT, { contract })(
      target,
      key,
      descriptor as PropertyDescriptor,
    );
  };
}

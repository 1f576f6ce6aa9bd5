import { operations, type RequestContract } from '@mentorhub/contracts';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DeadLetters } from '../events/dead-letters.js';
import { Republisher } from '../events/republisher.js';
import type { MessagingOptions } from '../messaging.options.js';
import { ServiceTransport } from '../requests/service-transport.js';
import { MESSAGING_OPTIONS } from '../tokens.js';

/**
 * Answers a service's operators. Registered by hand: the subjects carry the service's name, which no decorator knows.
 */
@Injectable()
export class OperationsHandlers implements OnModuleInit {
  constructor(
    private readonly transport: ServiceTransport,
    private readonly letters: DeadLetters,
    private readonly outbox: Republisher,
    @Inject(MESSAGING_OPTIONS) private readonly app: MessagingOptions,
  ) {}

  onModuleInit(): void {
    const { deadLetters, outbox } = operations(this.app.service);
    this.answer(deadLetters.list, (query) => this.letters.list(query ?? {}));
    this.answer(deadLetters.retry, (which) => this.letters.retry(which ?? {}));
    this.answer(outbox.republish, (range) => this.outbox.republish(range));
  }

  private answer<In, Out>(
    contract: RequestContract<In, Out>,
    handler: (request: In) => Promise<Out>,
  ): void {
    this.transport.addHandler(contract.subject, handler, false, { contract });
  }
}

import type { SignalContract } from '@mentorhub/contracts';
import { Injectable, Logger } from '@nestjs/common';
import type { Msg } from '@nats-io/transport-node';
import { NatsConnectionProvider } from './connection/nats-connection.provider.js';

/** What the subjects of all signals begin with. */
const SIGNALS = 'signal.';

export interface SignalSubscription {
  unsubscribe(): void;
}

/** Broadcasts to the current listeners. Nothing is stored, repeated or acknowledged. */
@Injectable()
export class Signals {
  private readonly logger = new Logger(Signals.name);

  constructor(private readonly nats: NatsConnectionProvider) {}

  /**
   * Publishes to all listeners. Does nothing while NATS is unreachable.
   * @param key replaces the `*` of the signal's subject
   */
  publish<Data>(contract: SignalContract<Data>, data: Data, key?: string | number): void {
    if (!this.nats.health().connected) return;
    this.nats.publish(subjectOf(contract, key), JSON.stringify({ data }));
  }

  /**
   * Listens until unsubscribed. The listener gets the data and the subject it came on; what it throws is logged.
   * @param key listens to one key only; without it, to all
   */
  subscribe<Data>(
    contract: SignalContract<Data>,
    listener: (data: Data, subject: string) => void,
    key?: string | number,
  ): SignalSubscription {
    const subject = key === undefined ? contract.subject : subjectOf(contract, key);
    const subscription = this.nats.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return this.logger.error(error);
        // JetStream sends in the server's name to any subject it is configured for: an event under the subject of the
        // event, and its answer to a call, which has no data. A service that may not send this signal must not do so
        // through it.
        const { data } = message.subject.startsWith(SIGNALS) ? read<Data>(message) : {};
        if (data === undefined) {
          return this.logger.warn(`a message on ${message.subject} is no signal, and was dropped`);
        }
        try {
          listener(data, message.subject);
        } catch (failure) {
          this.logger.error(failure);
        }
      },
    });
    return { unsubscribe: () => subscription.unsubscribe() };
  }
}

function read<Data>(message: Msg): { data?: Data } {
  try {
    return message.json<{ data?: Data } | null>() ?? {};
  } catch {
    return {};
  }
}

function subjectOf({ subject }: SignalContract<unknown>, key?: string | number): string {
  if (key === undefined) return subject;
  const token = String(key);
  if (!/^[\w-]+$/.test(token)) throw new Error(`"${token}" cannot be part of a NATS subject.`);
  return subject.replace('*', token);
}

import type { EventEnvelope } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import type { EventContext, EventHandlerExtras } from './on-event.decorator.js';

/** A handler as Nest wraps it: pipes, guards, interceptors and filters included. */
export type EventCallback = (
  handled: EventEnvelope | readonly EventEnvelope[],
  context: EventContext,
) => unknown;

/** One reaction of this service to one kind of event. */
export interface EventHandler {
  /** Its name in the inbox. */
  readonly key: string;
  readonly subject: string;
  /** It takes several events at once; others take one. */
  readonly batch: boolean;
  /** The version of the event that it knows; it is given older ones too. */
  readonly version: number;
  /** @throws what the handler throws */
  run(events: readonly [EventEnvelope, ...EventEnvelope[]], context: EventContext): Promise<void>;
}

/** An event means something else than this process knows: it waits for a newer one. */
export class NewerEventError extends Error {
  override readonly name = 'NewerEventError';

  constructor({ type, version }: EventEnvelope, handler: string, known: number) {
    super(
      `${type} has version ${version}, and ${handler} knows version ${known}: deploy the service that handles it, then retry.`,
    );
  }
}

/** The event handlers of this service. */
@Injectable()
export class EventHandlers {
  private readonly bySubject = new Map<string, EventHandler[]>();

  register(
    subject: string,
    { handler: key, batch, versions }: EventHandlerExtras,
    callback: EventCallback,
  ): void {
    const handlers = this.bySubject.get(subject) ?? [];
    if (handlers.some((handler) => handler.key === key)) {
      throw new Error(`${key} handles "${subject}" twice: give one of them another key.`);
    }
    const version = versions[subject] ?? 1;
    handlers.push({
      key,
      subject,
      batch,
      version,
      run: async (events, context) => {
        const newer = events.find((event) => event.version > version);
        if (newer) throw new NewerEventError(newer, key, version);
        await completion(callback(batch ? events : events[0], context));
      },
    });
    this.bySubject.set(subject, handlers);
  }

  /** Subjects this service reacts to. */
  subjects(): string[] {
    return [...this.bySubject.keys()];
  }

  /** All handlers, each as one text, in an order that does not depend on the process. */
  describe(): string[] {
    return [...this.bySubject.values()]
      .flat()
      .map(({ subject, version, key }) => `${subject} ${version} ${key}`)
      .toSorted();
  }

  of(subject: string): readonly EventHandler[] {
    return this.bySubject.get(subject) ?? [];
  }

  find(subject: string, key: string): EventHandler | undefined {
    return this.of(subject).find((handler) => handler.key === key);
  }
}

/** Nest hands errors back as an observable that fails. */
async function completion(result: unknown): Promise<void> {
  const value = await result;
  if (isObservable(value)) await lastValueFrom(value, { defaultValue: undefined });
}

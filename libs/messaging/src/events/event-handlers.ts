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
  /** @throws what the handler throws */
  run(events: readonly [EventEnvelope, ...EventEnvelope[]], context: EventContext): Promise<void>;
}

/** The event handlers of this service. */
@Injectable()
export class EventHandlers {
  private readonly bySubject = new Map<string, EventHandler[]>();

  register(
    subject: string,
    { handler: key, batch }: EventHandlerExtras,
    callback: EventCallback,
  ): void {
    const handlers = this.bySubject.get(subject) ?? [];
    if (handlers.some((handler) => handler.key === key)) {
      throw new Error(`${key} handles "${subject}" twice: give one of them another key.`);
    }
    handlers.push({
      key,
      subject,
      batch,
      run: (events, context) => settle(callback(batch ? events : events[0], context)),
    });
    this.bySubject.set(subject, handlers);
  }

  /** Subjects this service reacts to. */
  subjects(): string[] {
    return [...this.bySubject.keys()];
  }

  of(subject: string): readonly EventHandler[] {
    return this.bySubject.get(subject) ?? [];
  }

  find(subject: string, key: string): EventHandler | undefined {
    return this.of(subject).find((handler) => handler.key === key);
  }
}

/** Nest hands errors back as an observable that fails. */
async function settle(result: unknown): Promise<void> {
  const value = await result;
  if (isObservable(value)) await lastValueFrom(value, { defaultValue: undefined });
}

import type { Page } from '../core/paging.js';
import { request } from '../core/request.js';

/** Asks for parked events, newest first. */
export interface DeadLetterQuery {
  page?: number;
  /** Items a page; default 20, at most 100. */
  limit?: number;
  /** Also those that a retry has handled since. Default false. */
  retried?: boolean;
}

/** An event that a handler could not handle, parked after its last attempt. */
export interface DeadLetterView {
  id: number;
  event_id: string;
  type: string;
  aggregate_id: string;
  /** The handler that failed, `Class.method`. */
  handler: string;
  /** What it failed with last. */
  error: string;
  attempts: number;
  occurred_at: string;
  died_at: string;
  /** When a retry succeeded. */
  retried_at: string | null;
}

/** Names parked events by id; without ids, all that wait (at most 500 at once, oldest first). */
export interface RetryDeadLetters {
  ids?: number[];
}

export interface RetriedDeadLetters {
  /** Ids of those handled now. */
  retried: number[];
  /** Those that failed again stay parked. */
  failed: { id: number; error: string }[];
}

/** Publishes the events of a time range again; handlers that have handled one do not repeat it. */
export interface RepublishEvents {
  /** RFC 3339; by the time of the event, inclusive. */
  from: string;
  /** Exclusive. */
  to: string;
  /** Such as `mentorship.booking.confirmed`; default all. */
  types?: string[];
}

export interface RepublishedEvents {
  /** How many events were put in line. */
  events: number;
}

/** What every service answers for its operators. */
export function operations(service: string) {
  return {
    deadLetters: {
      list: request.admin<DeadLetterQuery, Page<DeadLetterView>>(`${service}.dead_letters.list`),
      retry: request.admin<RetryDeadLetters, RetriedDeadLetters>(`${service}.dead_letters.retry`, {
        deadlineMs: 60_000,
      }),
    },
    outbox: {
      republish: request.admin<RepublishEvents, RepublishedEvents>(`${service}.outbox.republish`, {
        deadlineMs: 60_000,
      }),
    },
  };
}

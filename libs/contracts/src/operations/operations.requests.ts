import { request } from '../core/request.js';
import type {
  DeadLetterPage,
  DeadLetterQuery,
  RepublishedEvents,
  RepublishEvents,
  RetriedDeadLetters,
  RetryDeadLetters,
  ServiceHealth,
} from './operations.dto.js';

/** What every service answers for its operators. */
export function operations(service: string) {
  return {
    deadLetters: {
      list: request.admin<DeadLetterQuery, DeadLetterPage>(`${service}.dead_letters.list`),
      retry: request.admin<RetryDeadLetters, RetriedDeadLetters>(`${service}.dead_letters.retry`, {
        deadlineMs: 60_000,
      }),
    },
    outbox: {
      republish: request.admin<RepublishEvents, RepublishedEvents>(`${service}.outbox.republish`, {
        deadlineMs: 60_000,
      }),
    },
    health: {
      /** Answered by any one replica. */
      check: request.service<Record<string, never>, ServiceHealth>(`${service}.health.check`, {
        deadlineMs: 3000,
      }),
    },
  };
}

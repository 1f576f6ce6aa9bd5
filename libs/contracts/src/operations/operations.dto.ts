import { ApiProperty } from '@nestjs/swagger';
import {
  Choice,
  Instant,
  Integer,
  Items,
  LongId,
  LongIds,
  QueryFlag,
  QueryInteger,
  Text,
  Texts,
} from '../core/fields.js';
import { PageOf } from '../core/page.dto.js';

/** Asks for parked events, newest first. */
export class DeadLetterQuery {
  @QueryInteger({ min: 1, max: 1_000_000, optional: true, description: 'Page, from 1.' })
  page?: number;

  @QueryInteger({ min: 1, max: 100, optional: true, description: 'Items a page; default 20.' })
  limit?: number;

  @QueryFlag({ optional: true, description: 'Also those that a retry has handled since.' })
  retried?: boolean;
}

/** An event that a handler could not handle, parked after its last attempt. */
export class DeadLetterView {
  @LongId()
  id: number;

  @Text({ max: 36 })
  event_id: string;

  @Text({ max: 100, example: 'mentorship.booking.confirmed' })
  type: string;

  @Text({ max: 64 })
  aggregate_id: string;

  @Text({ max: 200, description: 'The handler that failed, `Class.method`.' })
  handler: string;

  @Text({ max: 4000, description: 'What it failed with last.' })
  error: string;

  @Integer()
  attempts: number;

  @Instant()
  occurred_at: string;

  @Instant()
  died_at: string;

  @Instant({ nullable: true, description: 'When a retry succeeded.' })
  retried_at: string | null;
}

export class DeadLetterPage extends PageOf(DeadLetterView) {}

/** Names parked events by id; without ids, all that wait (at most 500 at once, oldest first). */
export class RetryDeadLetters {
  @LongIds({ maxItems: 500, optional: true })
  ids?: number[];
}

export class FailedRetry {
  @LongId()
  id: number;

  @Text({ max: 4000 })
  error: string;
}

export class RetriedDeadLetters {
  @ApiProperty({ type: 'integer', isArray: true, description: 'LongIds of those handled now.' })
  retried: number[];

  @Items(() => FailedRetry, { description: 'Those that failed again stay parked.' })
  failed: FailedRetry[];
}

/** Publishes the events of a time range again; handlers that have handled one do not repeat it. */
export class RepublishEvents {
  @Instant({ description: 'By the time of the event, inclusive.' })
  from: string;

  @Instant({ description: 'Exclusive.' })
  to: string;

  @Texts({
    maxItems: 50,
    max: 100,
    optional: true,
    example: ['mentorship.booking.confirmed'],
    description: 'Default all.',
  })
  types?: string[];
}

export class RepublishedEvents {
  @Integer({ description: 'How many events were put in line.' })
  events: number;
}

const healthStates = ['up', 'starting', 'draining', 'down'] as const;

/** Whether a process can take work, and what it depends on. */
export class ServiceHealth {
  @Choice(healthStates, { description: '`up` when it takes work.' })
  status: (typeof healthStates)[number];

  @ApiProperty({
    type: 'object',
    additionalProperties: {
      type: 'object',
      required: ['status', 'ms'],
      properties: {
        status: { type: 'string', enum: ['up', 'down'] },
        ms: { type: 'number', description: 'How long the check took, in milliseconds.' },
      },
    },
    description: 'By dependency, such as `database` and `nats`.',
  })
  checks: Record<string, { status: 'up' | 'down'; ms: number }>;
}

import {
  type EventEnvelope,
  type UserSummary,
  userEmailVerified,
  userErased,
  userExpired,
  userRegistered,
  userUpdated,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { People } from './people.js';

@Controller()
export class PeopleEvents {
  constructor(private readonly people: People) {}

  @OnEvent(userRegistered)
  storeNewUser(event: EventEnvelope<UserSummary>, tx: EntityManager): Promise<void> {
    return this.people.store(tx, [event.data], new Date(event.occurred_at));
  }

  @OnEvent(userUpdated)
  followChangedProfile(event: EventEnvelope<UserSummary>, tx: EntityManager): Promise<void> {
    return this.people.store(tx, [event.data], new Date(event.occurred_at));
  }

  @OnEvent(userEmailVerified)
  markVerified(event: EventEnvelope<{ user_id: number }>, tx: EntityManager): Promise<void> {
    return this.people.markVerified(tx, event.data.user_id);
  }

  @OnEvent(userErased)
  forgetErasedUser(event: EventEnvelope<{ user_id: number }>, tx: EntityManager): Promise<void> {
    return this.people.erase(tx, event.data.user_id);
  }

  @OnEvent(userExpired)
  async forgetExpiredUser(
    event: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await tx.query('DELETE FROM people WHERE user_id = $1', [event.data.user_id]);
  }
}

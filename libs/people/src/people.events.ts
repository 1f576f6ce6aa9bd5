import {
  type EventEnvelope,
  type UserSummary,
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
  meetNewUser(event: EventEnvelope<UserSummary>, tx: EntityManager): Promise<void> {
    return this.people.store(tx, [event.data], new Date(event.occurred_at));
  }

  @OnEvent(userUpdated)
  followChangedProfile(event: EventEnvelope<UserSummary>, tx: EntityManager): Promise<void> {
    return this.people.store(tx, [event.data], new Date(event.occurred_at));
  }
}

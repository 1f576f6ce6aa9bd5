import { type EventEnvelope, type Locale, userErased, userUpdated } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ErasedUsers } from './erased-users.js';
import { Recipients } from './recipients.js';

@Controller()
export class RecipientsEvents {
  constructor(
    private readonly recipients: Recipients,
    private readonly erased: ErasedUsers,
  ) {}

  @OnEvent(userErased)
  forgetErasedUser({ data }: EventEnvelope<{ user_id: number }>, tx: EntityManager): Promise<void> {
    return this.erased.erase(tx, data.user_id);
  }

  @OnEvent(userUpdated)
  followChangedLanguage(
    { data, occurred_at }: EventEnvelope<{ user_id: number; locale: Locale; timezone: string }>,
    tx: EntityManager,
  ): Promise<void> {
    return this.recipients.store(tx, data, new Date(occurred_at));
  }
}

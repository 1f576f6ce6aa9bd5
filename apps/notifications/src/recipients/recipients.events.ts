import { type EventEnvelope, type Locale, userUpdated } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Recipients } from './recipients.js';

@Controller()
export class RecipientsEvents {
  constructor(private readonly recipients: Recipients) {}

  @OnEvent(userUpdated)
  followChangedLanguage(
    { data, occurred_at }: EventEnvelope<{ user_id: number; locale: Locale; timezone: string }>,
    tx: EntityManager,
  ): Promise<void> {
    return this.recipients.store(tx, data, new Date(occurred_at));
  }
}

import {
  type EventEnvelope,
  passkeyAdded,
  passkeyRemoved,
  recoveryCodesReplaced,
  recoveryCodeUsed,
  signInCodesGuessed,
  totpDisabled,
  totpEnabled,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Notify } from '../notifications/notify.service.js';

interface Changed {
  user_id: number;
}
type Removed = Changed & { second_step: boolean };

/** Users are notified of every change of what their sign-in needs: it may not have been theirs (ASVS 6.3.7). */
@Controller()
export class SecondFactorRules {
  constructor(private readonly notify: Notify) {}

  @OnEvent(totpEnabled)
  async reportNewApp({ data }: EventEnvelope<Changed>, tx: EntityManager): Promise<void> {
    const userId = data.user_id;
    await this.notify.send(tx, { userId, type: 'totp_enabled', params: {}, data: {} });
  }

  @OnEvent(totpDisabled)
  async reportRemovedApp({ data }: EventEnvelope<Removed>, tx: EntityManager): Promise<void> {
    const { user_id: userId, second_step } = data;
    await this.notify.send(tx, {
      userId,
      type: 'totp_disabled',
      params: { second_step },
      data: {},
    });
  }

  @OnEvent(passkeyAdded)
  async reportNewPasskey({ data }: EventEnvelope<Changed>, tx: EntityManager): Promise<void> {
    const userId = data.user_id;
    await this.notify.send(tx, { userId, type: 'passkey_added', params: {}, data: {} });
  }

  @OnEvent(passkeyRemoved)
  async reportRemovedPasskey({ data }: EventEnvelope<Removed>, tx: EntityManager): Promise<void> {
    const { user_id: userId, second_step } = data;
    await this.notify.send(tx, {
      userId,
      type: 'passkey_removed',
      params: { second_step },
      data: {},
    });
  }

  @OnEvent(recoveryCodeUsed)
  async reportUsedCode(
    { data }: EventEnvelope<Changed & { left: number }>,
    tx: EntityManager,
  ): Promise<void> {
    const { user_id: userId, left } = data;
    await this.notify.send(tx, { userId, type: 'recovery_code_used', params: { left }, data: {} });
  }

  @OnEvent(signInCodesGuessed)
  async warnOfGuesses({ data }: EventEnvelope<Changed>, tx: EntityManager): Promise<void> {
    const userId = data.user_id;
    await this.notify.send(tx, { userId, type: 'sign_in_codes_guessed', params: {}, data: {} });
  }

  @OnEvent(recoveryCodesReplaced)
  async reportNewCodes({ data }: EventEnvelope<Changed>, tx: EntityManager): Promise<void> {
    const userId = data.user_id;
    await this.notify.send(tx, { userId, type: 'recovery_codes_replaced', params: {}, data: {} });
  }
}

import { type AccountMail, userMailRequested } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

class NothingToSend extends Error {}

/** Asks for mails about accounts. */
@Injectable()
export class AccountMails {
  constructor(private readonly outbox: Outbox) {}

  /** Has a mail sent once the transaction has committed. */
  request(tx: EntityManager, userId: number, mail: AccountMail, ref?: number): Promise<void> {
    return this.outbox.add(tx, userMailRequested, userId, {
      user_id: userId,
      mail,
      ref: ref ?? null,
    });
  }

  /**
   * Has a mail sent if there is anybody to send it to. Where there is not, the same is written and taken back, so that the
   * time reveals nothing.
   */
  async requestIfAny(
    tx: EntityManager,
    userId: number | undefined,
    mail: AccountMail,
    ref?: number,
  ): Promise<void> {
    try {
      await tx.transaction(async (savepoint) => {
        await this.request(savepoint, userId ?? 0, mail, ref);
        if (userId === undefined) throw new NothingToSend();
      });
    } catch (error) {
      if (!(error instanceof NothingToSend)) throw error;
    }
  }
}

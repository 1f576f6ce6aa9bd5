import type { NotificationType } from '@mentorhub/contracts';
import { Periodic, Transactions } from '@mentorhub/persistence';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { NotificationRequest } from '../notifications/notification-request.js';
import { type MessageNotification, Notify } from '../notifications/notify.service.js';
import { Recipients } from '../recipients/recipients.js';
import { DeferredNotifications } from './deferred-notifications.js';

const concurrency = 8;
const pollMs = 1000;

/** Finds out how the readers of deferred notifications read, and sends them. Every replica runs one. */
@Injectable()
export class ReaderResolver implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(ReaderResolver.name);
  private readonly periodic = new Periodic({
    name: ReaderResolver.name,
    everyMs: pollMs,
    atOnce: true,
    turn: async () => {
      if ((await this.resolveDue()) === concurrency) this.periodic.wake();
    },
    failure: 'Deferred notifications could not be sent',
  });

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly deferred: DeferredNotifications,
    private readonly recipients: Recipients,
    private readonly notify: Notify,
  ) {}

  onApplicationBootstrap(): void {
    this.deferred.onAdded(() => this.periodic.wake());
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Sends what is due for at most eight readers; resolves to how many were tried. */
  async resolveDue(): Promise<number> {
    const readers = await this.deferred.claimReaders(concurrency);
    await Promise.all(readers.map((userId) => this.resolve(userId)));
    return readers.length;
  }

  /** A failure leaves the reader's notifications for a later turn, and concerns no other reader. */
  private async resolve(userId: number): Promise<void> {
    try {
      // Outside of the transaction, which must not wait for identity.
      const answer = (await this.recipients.find(this.dataSource.manager, userId))
        ? undefined
        : await this.recipients.request(userId);
      await this.transactions.run(async (tx) => {
        if (answer) await this.recipients.storeAnswer(tx, userId, answer);
        for (const request of await this.deferred.take(tx, userId)) await this.send(tx, request);
      });
    } catch (error) {
      this.logger.warn('Notifications wait for the language of their reader.', {
        user_id: userId,
        err: error,
      });
    }
  }

  private send(tx: EntityManager, request: NotificationRequest<NotificationType>): Promise<void> {
    return isNewMessage(request)
      ? this.notify.sendOncePerChat(tx, [{ ...request, userIds: [request.userId] }])
      : this.notify.send(tx, request);
  }
}

function isNewMessage(
  request: NotificationRequest<NotificationType>,
): request is NotificationRequest<'new_message'> & Pick<MessageNotification, 'data'> {
  return request.type === 'new_message';
}

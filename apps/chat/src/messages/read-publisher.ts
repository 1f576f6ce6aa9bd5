import { chatRead, type ChatRead } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Periodic, Transactions } from '@mentorhub/persistence';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';

const everyMs = 500;
const batch = 200;

/**
 * Publishes that chats were read, all that were since the last turn in one event: an event for each read would cost more
 * than the read. Replicas may do it side by side.
 */
@Injectable()
export class ReadPublisher implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic = new Periodic({
    name: ReadPublisher.name,
    everyMs,
    turn: async (stopping) => {
      while (!stopping.aborted && (await this.publish()) === batch);
    },
    failure: 'Reads of chats could not be published',
  });

  constructor(
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Publishes at most 200 reads; resolves to how many. */
  publish(): Promise<number> {
    return this.transactions.run(async (tx) => {
      const [reads] = await tx.query<[ChatRead[], number]>(
        `DELETE FROM unpublished_reads WHERE (chat_id, user_id) IN (
           SELECT chat_id, user_id FROM unpublished_reads LIMIT ${batch}
           -- A locked one is being read on, or published by another replica.
           FOR UPDATE SKIP LOCKED
         )
         RETURNING chat_id, user_id, message_id`,
      );
      const [first] = reads;
      if (first) await this.outbox.add(tx, chatRead, first.chat_id, { reads });
      return reads.length;
    });
  }
}

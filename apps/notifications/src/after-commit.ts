import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, type EntitySubscriberInterface } from 'typeorm';
import type { TransactionCommitEvent } from 'typeorm/subscriber/event/TransactionCommitEvent.js';

type Listener = () => void;

const listeners = Symbol('called after the commit');

/** Calls listeners once the transaction that registered them has committed; a rollback forgets them. */
@Injectable()
export class AfterCommit implements EntitySubscriberInterface {
  constructor(dataSource: DataSource) {
    dataSource.subscribers.push(this);
  }

  /** Calls `listener` after the commit of `tx`, once, however often it is registered. */
  call(tx: EntityManager, listener: Listener): void {
    if (!tx.queryRunner) return;
    const data = tx.queryRunner.data as { [listeners]?: Set<Listener> };
    (data[listeners] ??= new Set()).add(listener);
  }

  /** TypeORM calls it after every commit. */
  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    const data = queryRunner.data as { [listeners]?: Set<Listener> };
    const called = data[listeners];
    if (!called) return;
    delete data[listeners];
    for (const listener of called) listener();
  }
}

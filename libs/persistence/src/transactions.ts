import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { isSerializationFailure } from './database-errors.js';

const attempts = 4;

@Injectable()
export class Transactions {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. When PostgreSQL breaks a
   * deadlock or a serialization conflict at the cost of this transaction, the work is run again, up to three times;
   * so it must have no effects outside of `tx`.
   */
  async run<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.dataSource.transaction(work);
      } catch (error) {
        if (attempt === attempts || !isSerializationFailure(error)) throw error;
        // Those who collided must not meet again.
        await delay(Math.random() * 20 * 2 ** attempt);
      }
    }
  }
}

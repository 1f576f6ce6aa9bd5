import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Posting } from './postings.js';

export interface LedgerTransaction {
  kind: 'capture' | 'refund';
  paymentId: string;
  /** ISO 4217. */
  currency: string;
  postings: Posting[];
}

/** The books: append-only, double entry. The database refuses changes, and transactions that do not sum to zero. */
@Injectable()
export class Ledger {
  constructor(private readonly clock: Clock) {}

  /** Books a transaction. A payment has at most one capture: a second one violates a unique key. */
  async post(
    tx: EntityManager,
    { kind, paymentId, currency, postings }: LedgerTransaction,
  ): Promise<void> {
    await tx.query(
      `WITH transaction AS (
         INSERT INTO ledger_transactions (kind, payment_id, created_at) VALUES ($1, $2, $3)
         RETURNING id, payment_id, created_at
       )
       INSERT INTO ledger_entries (transaction_id, account, amount_minor, currency, payment_id, created_at)
       SELECT transaction.id, account, amount_minor, $4, payment_id, created_at
       FROM transaction, unnest($5::text[], $6::bigint[]) AS posting (account, amount_minor)`,
      [
        kind,
        paymentId,
        this.clock.now(),
        currency,
        postings.map(({ account }) => account),
        postings.map(({ amountMinor }) => amountMinor),
      ],
    );
  }
}

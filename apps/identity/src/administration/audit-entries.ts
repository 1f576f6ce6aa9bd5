import type { AuditEntry, AuditPage, Caller, Device, ListAuditEntries } from '@mentorhub/contracts';
import { ApplicationError } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { boundedPage, Conditions, mostListed } from './bounded-page.js';

const readingMs = 10 * 60_000;

type Row = Omit<AuditEntry, 'id' | 'occurred_at'> & { id: string; occurred_at: Date };

/** Reads the audit trail. */
@Injectable()
export class AuditEntries {
  constructor(
    private readonly dataSource: DataSource,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * The newest first. That somebody reads is an entry itself, one for each session and ten minutes, so that paging does not
   * move what it pages through.
   * @throws ApplicationError VALIDATION_FAILED
   */
  async list(
    actor: Caller,
    { device, ...query }: ListAuditEntries & { device: Device },
  ): Promise<AuditPage> {
    const { from, to } = query;
    if (from !== undefined && to !== undefined && from >= to) {
      throw ApplicationError.invalid('to', 'to must be after from.');
    }
    await this.recordReading(actor, query, device);
    const { where, values } = conditionsOf(query);
    return boundedPage(
      query,
      async ({ limit, offset }) => {
        const rows = await this.dataSource.query<Row[]>(
          `SELECT id, occurred_at, action, outcome, actor_id, user_id, session_id, ip, user_agent, request_id, detail
           FROM audit_log ${where} ORDER BY occurred_at DESC, id DESC LIMIT ${limit} OFFSET ${offset}`,
          values,
        );
        return rows.map((row) => ({
          ...row,
          id: Number(row.id),
          occurred_at: row.occurred_at.toISOString(),
        }));
      },
      async () => {
        const [row] = await this.dataSource.query<{ total: number }[]>(
          `SELECT count(*)::int AS total FROM (SELECT 1 FROM audit_log ${where} LIMIT ${mostListed}) AS first`,
          values,
        );
        return row?.total ?? 0;
      },
    );
  }

  private async recordReading(
    { user_id: actorId, session_id: sessionId }: Caller,
    query: ListAuditEntries,
    device: Device,
  ): Promise<void> {
    const since = new Date(this.clock.now().getTime() - readingMs);
    const read = await this.dataSource.query<unknown[]>(
      `SELECT 1 FROM audit_log
       WHERE actor_id = $1 AND occurred_at > $2 AND action = 'audit.read' AND session_id = $3 LIMIT 1`,
      [actorId, since, sessionId],
    );
    if (read.length > 0) return;
    const { page: _, limit: __, size: ___, ...filters } = query;
    await this.audit.note({ action: 'audit.read', actorId, sessionId, device, detail: filters });
  }
}

function conditionsOf(query: ListAuditEntries): Conditions {
  const conditions = new Conditions();
  for (const column of ['actor_id', 'user_id', 'action', 'outcome'] as const) {
    const value = query[column];
    if (value !== undefined) conditions.add((parameter) => `${column} = ${parameter}`, value);
  }
  const { from, to } = query;
  if (from !== undefined) conditions.add((parameter) => `occurred_at >= ${parameter}`, from);
  if (to !== undefined) conditions.add((parameter) => `occurred_at < ${parameter}`, to);
  return conditions;
}

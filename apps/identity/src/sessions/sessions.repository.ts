import { type Device, type PageRequest, paging } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, IsNull, MoreThan } from 'typeorm';
import { Session } from './session.entity.js';

const longestUserAgent = 512;

/** A session that was ended just now. */
export interface EndedSession {
  id: number;
  userId: number;
  accessExpiresAt: Date;
}

interface EndedRow {
  id: number;
  user_id: number;
  access_expires_at: Date;
}

/** Which sessions to end: one, one if it is the user's, all of some users, or all of a user but one. */
export type SessionChoice =
  { id: number; userId?: number } | { userIds: number[] } | { userId: number; except: number };

/** How long sessions last: after each refresh, and in all. */
export interface SessionLifetime {
  slidingMs: number;
  absoluteMs: number;
}

@Injectable()
export class SessionsRepository {
  constructor(private readonly dataSource: DataSource) {}

  insert(
    tx: EntityManager,
    session: Pick<
      Session,
      'userId' | 'createdAt' | 'expiresAt' | 'accessExpiresAt' | 'method' | 'authenticatedAt'
    >,
    device: Device,
  ): Promise<Session> {
    return tx.save(Session, {
      ...session,
      lastUsedAt: session.createdAt,
      ...described(device),
      revokedAt: null,
    });
  }

  /** Notes a refresh, which prolongs the session; resolves to `undefined` if the session has ended already. */
  async touch(
    tx: EntityManager,
    id: number,
    {
      now,
      accessExpiresAt,
      lifetime: { slidingMs, absoluteMs },
      device,
    }: { now: Date; accessExpiresAt: Date; lifetime: SessionLifetime; device: Device },
  ): Promise<{ userId: number } | undefined> {
    const { userAgent, ip } = described(device);
    const [rows] = await tx.query<[{ user_id: number }[], number]>(
      `UPDATE sessions SET last_used_at = $2, access_expires_at = $3, user_agent = $4, ip = $5,
         expires_at = least($6, created_at + $7 * interval '1 millisecond')
       WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2
         AND created_at + $7 * interval '1 millisecond' > $2
       RETURNING user_id`,
      [id, now, accessExpiresAt, userAgent, ip, new Date(now.getTime() + slidingMs), absoluteMs],
    );
    return rows[0] && { userId: rows[0].user_id };
  }

  /** A session that has not ended, locked against its end until the transaction is over. */
  async active(tx: EntityManager, id: number, now: Date): Promise<{ userId: number } | undefined> {
    const [row] = await tx.query<{ user_id: number }[]>(
      `SELECT user_id FROM sessions WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 FOR SHARE`,
      [id, now],
    );
    return row && { userId: row.user_id };
  }

  /** Ends what is chosen and has not ended yet. */
  async end(tx: EntityManager, choice: SessionChoice, now: Date): Promise<EndedSession[]> {
    const [rows] = await tx.query<[EndedRow[], number]>(
      `UPDATE sessions SET revoked_at = $1
       WHERE revoked_at IS NULL AND ($2::int IS NULL OR id = $2) AND ($3::int[] IS NULL OR user_id = ANY ($3))
         AND id IS DISTINCT FROM $4::int
       RETURNING id, user_id, access_expires_at`,
      [
        now,
        'id' in choice ? choice.id : null,
        usersOf(choice),
        'except' in choice ? choice.except : null,
      ],
    );
    return rows.map((row) => ({
      id: row.id,
      userId: row.user_id,
      accessExpiresAt: row.access_expires_at,
    }));
  }

  /**
   * Which sessions of a user go beyond the `most` that were used last. The user has to be locked, so that of several
   * sign-ins at the same time each sees those before.
   */
  async beyond(
    tx: EntityManager,
    userId: number,
    { most, now }: { most: number; now: Date },
  ): Promise<number[]> {
    const rows = await tx.query<{ id: number }[]>(
      `SELECT id FROM sessions
       WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2
       ORDER BY last_used_at DESC, id DESC OFFSET $3`,
      [userId, now, most],
    );
    return rows.map(({ id }) => id);
  }

  /** The devices of a user that are signed in, the last used first; and how many there are in all. */
  alive(userId: number, now: Date, query: PageRequest): Promise<[Session[], number]> {
    const { limit: take, offset: skip } = paging(query);
    return this.dataSource.manager.findAndCount(Session, {
      where: { userId, revokedAt: IsNull(), expiresAt: MoreThan(now) },
      order: { lastUsedAt: 'DESC', id: 'DESC' },
      skip,
      take,
    });
  }

  byId(tx: EntityManager, id: number): Promise<Session> {
    return tx.findOneByOrFail(Session, { id });
  }

  /** Sessions that have ended before their access tokens. */
  async endedEarly(now: Date): Promise<Pick<EndedSession, 'id' | 'accessExpiresAt'>[]> {
    const rows = await this.dataSource.query<Omit<EndedRow, 'user_id'>[]>(
      `SELECT id, access_expires_at FROM sessions
       WHERE revoked_at IS NOT NULL AND access_expires_at > $1 ORDER BY id`,
      [now],
    );
    return rows.map((row) => ({ id: row.id, accessExpiresAt: row.access_expires_at }));
  }
}

function usersOf(choice: SessionChoice): number[] | null {
  if ('userIds' in choice) return choice.userIds;
  return choice.userId === undefined ? null : [choice.userId];
}

function described({ user_agent, ip }: Device): Pick<Session, 'userAgent' | 'ip'> {
  return { userAgent: user_agent.slice(0, longestUserAgent), ip: ip.slice(0, 45) };
}

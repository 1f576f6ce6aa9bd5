import {
  type Caller,
  ApplicationError,
  type SocketTicket,
  type TicketOwner,
} from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';
import { rolesOf } from '../users/user.views.js';

const lifetimeSeconds = 30;

interface RedeemedRow {
  user_id: number;
  session_id: number;
  session_expires_at: Date;
  is_admin: boolean;
  is_mentor: boolean;
}

/** Lets a browser open a WebSocket without an access token in the URL. */
@Injectable()
export class SocketTicketsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /** A ticket for the actor's session: once, within 30 seconds. */
  async issue(actor: Caller): Promise<SocketTicket> {
    const ticket = newToken();
    await this.dataSource.query(
      `INSERT INTO socket_tickets (ticket_hash, session_id, expires_at) VALUES ($1, $2, $3)`,
      [
        hashOf(ticket),
        actor.session_id,
        new Date(this.clock.now().getTime() + lifetimeSeconds * 1000),
      ],
    );
    return { ticket, expires_in: lifetimeSeconds };
  }

  /**
   * Who the ticket was issued to, as long as that session goes on. Deleting it decides who of several is first.
   * @throws ApplicationError UNAUTHENTICATED
   */
  async redeem(ticket: string): Promise<TicketOwner> {
    const [row] = await this.dataSource.query<RedeemedRow[]>(
      `WITH redeemed AS (
         DELETE FROM socket_tickets WHERE ticket_hash = $1 RETURNING session_id, expires_at
       )
       SELECT users.id AS user_id, sessions.id AS session_id,
         sessions.expires_at AS session_expires_at, users.is_admin, users.is_mentor
       FROM redeemed
         JOIN sessions ON sessions.id = redeemed.session_id
         JOIN users ON users.id = sessions.user_id
       WHERE redeemed.expires_at > $2 AND sessions.expires_at > $2
         AND sessions.revoked_at IS NULL AND users.is_active`,
      [hashOf(ticket), this.clock.now()],
    );
    if (!row) {
      throw new ApplicationError(
        'UNAUTHENTICATED',
        'The ticket is unknown, used or older than 30 seconds: ask for a new one.',
      );
    }
    return {
      caller: {
        user_id: row.user_id,
        roles: rolesOf({ isAdmin: row.is_admin, isMentor: row.is_mentor }),
        session_id: row.session_id,
      },
      session_expires_at: Math.floor(row.session_expires_at.getTime() / 1000),
    };
  }
}

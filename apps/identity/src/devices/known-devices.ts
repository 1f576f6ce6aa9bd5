import { type Device, userSignedInFromNewDevice } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';
import { networkOf } from './network.js';
import { readUserAgent, userAgentFamily } from './user-agent.js';

/** Most devices that are remembered of an account. */
const mostDevices = 50;

/**
 * Knows from what kinds of browsers, in which networks, each account has been signed in to, and reports the first time
 * of each. Of both together only a hash is stored.
 */
@Injectable()
export class KnownDevices {
  constructor(
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Notes a sign-in, in its transaction. Of several at the same time from one device, the key lets one be the first. The
   * very first device of an account is not news.
   */
  async note(
    tx: EntityManager,
    { userId, sessionId }: { userId: number; sessionId: number },
    device: Device,
  ): Promise<void> {
    const now = this.clock.now();
    const network = networkOf(device.ip);
    const hash = hashOf(`${userAgentFamily(device.user_agent)}\n${network}`);
    const [row] = await tx.query<{ is_new: boolean; is_first: boolean }[]>(
      `INSERT INTO known_devices AS known (user_id, device_hash, last_seen_at) VALUES ($1, $2, $3)
       ON CONFLICT ON CONSTRAINT known_devices_pkey DO UPDATE SET last_seen_at = $3
       RETURNING xmax = 0 AS is_new,
         NOT EXISTS (SELECT FROM known_devices WHERE user_id = $1 AND device_hash <> $2) AS is_first`,
      [userId, hash, now],
    );
    if (!row?.is_new || row.is_first) return;
    await this.forgetOldest(tx, userId);
    const { browser, os } = readUserAgent(device.user_agent);
    await this.outbox.add(tx, userSignedInFromNewDevice, userId, {
      user_id: userId,
      session_id: sessionId,
      browser,
      os,
      network,
    });
  }

  private async forgetOldest(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(
      `DELETE FROM known_devices WHERE user_id = $1 AND device_hash IN (
         SELECT device_hash FROM known_devices WHERE user_id = $1
         ORDER BY last_seen_at DESC, device_hash OFFSET $2)`,
      [userId, mostDevices],
    );
  }
}

import { Periodic } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AvatarFiles } from '../avatars/avatar-files.js';
import type { IdentityConfig } from '../config.js';
import { UserCounters } from '../limits/user-counters.js';

const intervalMs = 3_600_000;
const dayMs = 86_400_000;
const forgottenAfterDays = 90;
/** A device that was away for so long is news again. */
const deviceForgottenAfterDays = 365;

/** Deletes what has expired, every hour. Any number of replicas may do so. */
@Injectable()
export class Housekeeping implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic = new Periodic({
    name: Housekeeping.name,
    everyMs: intervalMs,
    turn: () => this.sweep(),
    failure: 'Expired rows could not be deleted',
  });

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly dataSource: DataSource,
    private readonly avatars: AvatarFiles,
    private readonly counters: UserCounters,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** One round. */
  async sweep(): Promise<void> {
    const now = this.clock.now();
    const before = (milliseconds: number) => new Date(now.getTime() - milliseconds);
    // Their refresh tokens and tickets go with them; a day more, for tokens that are still being checked.
    await this.dataSource.query(
      `DELETE FROM sessions
       WHERE access_expires_at < $1 AND (expires_at < $1 OR revoked_at < $1)`,
      [before(dayMs)],
    );
    await this.dataSource.query(`DELETE FROM socket_tickets WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM email_verifications WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM verification_requests WHERE sent_at < $1`, [
      before(dayMs),
    ]);
    await this.dataSource.query(`DELETE FROM mail_tokens WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM email_changes WHERE requested_at < $1`, [
      before(dayMs),
    ]);
    await this.dataSource.query(`DELETE FROM former_emails WHERE reserved_until < $1`, [now]);
    await this.dataSource.query(`DELETE FROM mailed_codes WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM mail_pauses WHERE sent_at < $1`, [before(dayMs)]);
    await this.dataSource.query(`DELETE FROM audit_log WHERE occurred_at < $1`, [
      before(this.config.AUDIT_RETENTION_DAYS * dayMs),
    ]);
    // Of gateways that ended before their imports did.
    await this.dataSource.query(`DELETE FROM member_imports WHERE started_at < $1`, [
      before(dayMs),
    ]);
    // An enrolment that was not confirmed, long after it could have been.
    await this.dataSource.query(
      `DELETE FROM totp_factors WHERE confirmed_at IS NULL AND created_at < $1`,
      [before(dayMs)],
    );
    await this.dataSource.query(`DELETE FROM passkey_challenges WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM sign_in_challenges WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM network_counters WHERE window_ends_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM provider_visits WHERE expires_at < $1`, [now]);
    await this.dataSource.query(`DELETE FROM known_devices WHERE last_seen_at < $1`, [
      before(deviceForgottenAfterDays * dayMs),
    ]);
    // Counters that nobody came back to; known and unknown accounts alike.
    await this.dataSource.query(`DELETE FROM sign_in_failures WHERE last_failed_at < $1`, [
      before(forgottenAfterDays * dayMs),
    ]);
    await this.dataSource.query(`DELETE FROM totp_guesses WHERE last_failed_at < $1`, [
      before(forgottenAfterDays * dayMs),
    ]);
    await this.dataSource.query(`DELETE FROM signing_keys WHERE superseded_at < $1`, [
      before(this.config.ACCESS_TOKEN_TTL_SECONDS * 1000 + dayMs),
    ]);
    await this.counters.sweep();
    await this.avatars.sweep();
  }
}

import { ApplicationError, type Device } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { Passwords } from '../passwords/passwords.js';
import type { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';
import { LoginThrottle } from './login-throttle.js';

/** Checks passwords of accounts, against guessing. */
@Injectable()
export class Credentials {
  constructor(
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly throttle: LoginThrottle,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * The user whose address and password these are. An unknown address and a wrong password look the same, in time too
   * (ASVS 6.3.8).
   * @throws ApplicationError INVALID_CREDENTIALS, RATE_LIMITED, OVERLOADED
   */
  async check(address: string, password: string, device: Device): Promise<User> {
    const email = address.toLowerCase();
    const attempt = await this.throttle.admit(email, device.ip);
    let user: User | null;
    let matches: boolean;
    try {
      user = await this.users.credentialsOf(email, this.clock.now());
      matches = await this.passwords.matches(password, user?.passwordHash);
    } catch (error) {
      // Overload is no wrong password.
      await this.throttle.withdraw(attempt);
      throw error;
    }
    if (!user || !matches) {
      await this.audit.note({
        action: 'password.check',
        outcome: 'failure',
        actorId: null,
        userId: user?.id ?? null,
        device,
      });
      throw wrongCredentials();
    }
    await this.throttle.clear(attempt);
    return user;
  }

  /**
   * Checks the password of a signed-in user, as `check` does.
   * @throws ApplicationError INVALID_CREDENTIALS, RATE_LIMITED, OVERLOADED
   */
  async checkOwn(userId: number, password: string, device: Device): Promise<User> {
    const { email } = await this.users.byId(userId);
    return this.check(email, password, device);
  }
}

export function wrongCredentials(): ApplicationError {
  return new ApplicationError(
    'INVALID_CREDENTIALS',
    'The email address or the password is wrong: check both.',
  );
}

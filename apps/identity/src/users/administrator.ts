import { CONFIG, Clock, ConfigurationError } from '@mentorhub/service-kit';
import { Transactions } from '@mentorhub/persistence';
import { ApplicationError } from '@mentorhub/contracts';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { passwordFault } from '../passwords/password-rules.js';
import { Passwords } from '../passwords/passwords.js';
import { User } from './user.entity.js';
import { UsersService } from './users.service.js';

/** Creates the first administrator, `ADMIN_EMAIL`, so that a new installation can be entered. */
@Injectable()
export class Administrator implements OnModuleInit {
  private readonly logger = new Logger(Administrator.name);

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly users: UsersService,
    private readonly passwords: Passwords,
    private readonly transactions: Transactions,
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  async onModuleInit(): Promise<void> {
    const { ADMIN_EMAIL, ADMIN_PASSWORD } = this.config;
    if (ADMIN_EMAIL === undefined || ADMIN_PASSWORD === undefined) return;
    const email = ADMIN_EMAIL.toLowerCase();
    if ((await this.exists(email)) || (await this.hasAdministrator())) return;
    const fullName = 'Administrator';
    const fault = await passwordFault(ADMIN_PASSWORD, { email, fullName });
    if (fault !== undefined) throw new ConfigurationError([`ADMIN_PASSWORD: ${fault}`]);
    const passwordHash = await this.passwords.hash(ADMIN_PASSWORD, { email, fullName });
    const now = this.clock.now();
    try {
      await this.transactions.run((tx) =>
        this.users.add(tx, {
          email,
          fullName,
          passwordHash,
          requestedRole: 'student',
          isAdmin: true,
          timezone: 'UTC',
          locale: 'en',
          emailVerifiedAt: now,
          createdAt: now,
        }),
      );
      this.logger.log('The administrator of ADMIN_EMAIL was created.');
    } catch (error) {
      // Another replica was faster.
      if (!(error instanceof ApplicationError && error.code === 'EMAIL_TAKEN')) throw error;
    }
  }

  /** Also one whose address is another than `ADMIN_EMAIL`, such as one who has changed it since. */
  private hasAdministrator(): Promise<boolean> {
    return this.dataSource.manager.existsBy(User, { isAdmin: true, isActive: true });
  }

  private async exists(email: string): Promise<boolean> {
    const user = await this.dataSource.manager.findOneBy(User, { email });
    if (user && !user.isAdmin) {
      // The user who registered the address must not become administrator by a restart.
      this.logger.warn('ADMIN_EMAIL has an account that is no administrator; it stays as it is.');
    }
    return user !== null;
  }
}

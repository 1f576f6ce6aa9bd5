import { availableParallelism } from 'node:os';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { IdentityConfig } from '../config.js';
import { newToken } from '../secrets/secret-token.js';
import { HashingQueue } from './hashing-queue.js';
import { checkPassword, type Owner } from './password-rules.js';

/** What a hash costs; see `config.ts`. */
export type HashingCosts = Pick<
  IdentityConfig,
  'ARGON2_MEMORY_KIB' | 'ARGON2_PASSES' | 'ARGON2_PARALLELISM'
>;

/** The least memory that argon2 takes. */
const leastKib = 8;

/**
 * Hashes passwords with argon2id, the package's default, and checks them, off the event loop. Registrations have a queue
 * of their own, with one place, so that however many arrive, sign-ins go on. Neither queue is longer than what is worked
 * off before its clients give up.
 */
@Injectable()
export class Passwords {
  private readonly costs: { memoryCost: number; timeCost: number; parallelism: number };
  private readonly signIns = new HashingQueue({
    what: 'sign-ins',
    atOnce: availableParallelism(),
    longest: 100,
  });
  private readonly registrations = new HashingQueue({
    what: 'registrations',
    atOnce: 1,
    longest: 30,
  });
  private readonly nobodysHash: Promise<string>;
  /** What a check that fails costs: as much as the costliest of the hashes that were seen. */
  private failureWork = 0;

  constructor(@Inject(CONFIG) config: HashingCosts) {
    this.costs = {
      memoryCost: config.ARGON2_MEMORY_KIB,
      timeCost: config.ARGON2_PASSES,
      parallelism: config.ARGON2_PARALLELISM,
    };
    this.nobodysHash = hash(newToken(), this.costs);
  }

  /**
   * The hash of a new password, for a registration. Checked in its turn as well, since that takes the event loop some
   * milliseconds.
   * @param admit runs before the hash; what it throws refuses the registration
   * @throws ApplicationError VALIDATION_FAILED with the reason when the password is too weak, OVERLOADED
   */
  async hash(password: string, owner: Owner, admit?: () => Promise<void>): Promise<string> {
    return this.registrations.run(async () => {
      await checkPassword(password, owner);
      await admit?.();
      return hash(password, this.costs);
    });
  }

  /**
   * The hash of a password that takes the place of another, for somebody who has proven to own the account.
   * @throws ApplicationError VALIDATION_FAILED of `new_password` with the reason when it is too weak, OVERLOADED
   */
  async hashNew(password: string, owner: Owner): Promise<string> {
    return this.signIns.run(async () => {
      await checkPassword(password, owner, 'new_password');
      return hash(password, this.costs);
    });
  }

  /**
   * Takes as long when there is no hash to compare with as when there is, and as long with hashes that were made at other
   * costs, which last until the next sign-in of their user, so that the time of a failure reveals nothing.
   * @throws ApplicationError OVERLOADED
   */
  async matches(password: string, passwordHash: string | null | undefined): Promise<boolean> {
    const known = passwordHash ?? (await this.nobodysHash);
    const { memoryCost, timeCost } = parseOptions(known);
    const work = memoryCost * timeCost;
    this.failureWork = Math.max(
      this.failureWork,
      work,
      this.costs.memoryCost * this.costs.timeCost,
    );
    return this.signIns.run(async () => {
      if ((await verify(known, password)) && known === passwordHash) return true;
      await this.spend(this.failureWork - work);
      return false;
    });
  }

  /** Works as long as a hash of so many KiB, over all its passes, without more memory than a hash takes. */
  private async spend(work: number): Promise<void> {
    if (work < leastKib) return;
    const timeCost = Math.ceil(work / this.costs.memoryCost);
    const memoryCost = Math.max(leastKib, Math.round(work / timeCost));
    await hash(newToken(), { memoryCost, timeCost, parallelism: 1 });
  }

  /** A new hash of a password that was just found right, when the stored one was made at other costs. */
  async rehash(password: string, passwordHash: string): Promise<string | undefined> {
    const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
    const current =
      memoryCost === this.costs.memoryCost &&
      timeCost === this.costs.timeCost &&
      parallelism === this.costs.parallelism;
    return current ? undefined : this.signIns.run(() => hash(password, this.costs));
  }
}

import { availableParallelism } from 'node:os';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { Injectable } from '@nestjs/common';
import { newToken } from '../secrets/secret-token.js';
import { HashingQueue } from './hashing-queue.js';
import { checkPassword, type Owner } from './password-rules.js';

/** argon2id, the package's default, with the costs of OWASP's first choice (ASVS 5.0 appendix C): 46 MiB, one pass. */
const costs = { memoryCost: 47_104, timeCost: 1, parallelism: 1 };

/**
 * Hashes and checks passwords, off the event loop. Registrations have a queue of their own, with one place, so that
 * however many arrive, sign-ins go on. Neither queue is longer than what is worked off before its clients give up.
 */
@Injectable()
export class Passwords {
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
  private readonly nobodysHash = hash(newToken(), costs);

  /**
   * The hash of a new password, for a registration.
   * @param admit runs when it is this one's turn, before the hash; what it throws refuses the registration
   * @throws ApplicationError VALIDATION_FAILED with the reason when the password is too weak, OVERLOADED
   */
  async hash(password: string, owner: Owner, admit?: () => Promise<void>): Promise<string> {
    checkPassword(password, owner);
    return this.registrations.run(async () => {
      await admit?.();
      return hash(password, costs);
    });
  }

  /**
   * The hash of a password that takes the place of another, for somebody who has proven to own the account.
   * @throws ApplicationError VALIDATION_FAILED of `new_password` with the reason when it is too weak, OVERLOADED
   */
  async hashNew(password: string, owner: Owner): Promise<string> {
    checkPassword(password, owner, 'new_password');
    return this.signIns.run(() => hash(password, costs));
  }

  /**
   * Takes as long when there is no hash to compare with as when there is, so that the time reveals nothing.
   * @throws ApplicationError OVERLOADED
   */
  async matches(password: string, passwordHash: string | null | undefined): Promise<boolean> {
    const known = passwordHash ?? (await this.nobodysHash);
    const matches = await this.signIns.run(() => verify(known, password));
    return matches && known === passwordHash;
  }

  /** A new hash of a password that was just found right, when the stored one was made at other costs. */
  async rehash(password: string, passwordHash: string): Promise<string | undefined> {
    const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
    const current =
      memoryCost === costs.memoryCost &&
      timeCost === costs.timeCost &&
      parallelism === costs.parallelism;
    return current ? undefined : this.signIns.run(() => hash(password, costs));
  }
}

import { availableParallelism } from 'node:os';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { newToken } from '../secrets/secret-token.js';
import { type Owner, passwordFault } from './password-rules.js';

/** argon2id, the package's default, with the costs of OWASP's first choice (ASVS 5.0 appendix C): 46 MiB, one pass. */
const costs = { memoryCost: 47_104, timeCost: 1, parallelism: 1 };

const longestQueue = 200;

/**
 * Hashes and checks passwords, off the event loop. As many at a time as there are cores: each takes 46 MiB, and more
 * at once would only slow all of them down.
 */
@Injectable()
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly nobodysHash = hash(newToken(), costs);

  /** @throws ApplicationError VALIDATION_FAILED with the reason when the password is too weak. */
  async hash(password: string, owner: Owner): Promise<string> {
    const fault = passwordFault(password, owner);
    if (fault !== undefined) throw ApplicationError.invalid('password', fault);
    return this.inTurn(() => hash(password, costs));
  }

  /** Takes as long when there is no hash to compare with as when there is, so that the time tells nothing. */
  async matches(password: string, passwordHash: string | undefined): Promise<boolean> {
    const known = passwordHash ?? (await this.nobodysHash);
    const matches = await this.inTurn(() => verify(known, password));
    return matches && passwordHash !== undefined;
  }

  /** A new hash of a password that was just found right, when the stored one was made at other costs. */
  async rehash(password: string, passwordHash: string): Promise<string | undefined> {
    const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
    const current =
      memoryCost === costs.memoryCost &&
      timeCost === costs.timeCost &&
      parallelism === costs.parallelism;
    return current ? undefined : this.inTurn(() => hash(password, costs));
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= availableParallelism()) {
      if (this.waiting.length >= longestQueue) {
        throw new ApplicationError(
          'OVERLOADED',
          'Too many sign-ins at the moment; try again shortly.',
          {
            retryAfterSeconds: 2,
          },
        );
      }
      // The one before hands its place over, so `running` stays as it is.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.running += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}

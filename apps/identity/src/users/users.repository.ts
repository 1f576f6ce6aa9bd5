import { ApplicationError } from '@mentorhub/contracts';
import { isUniqueViolation } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In, IsNull } from 'typeorm';
import { FormerEmails } from './former-emails.js';
import { User } from './user.entity.js';
import { usernameCandidates } from './username.js';

/** A user to be; without a username one is made from the name. */
export type NewUser = Pick<
  User,
  'email' | 'fullName' | 'passwordHash' | 'requestedRole' | 'timezone' | 'locale' | 'createdAt'
> &
  Partial<Pick<User, 'username' | 'isAdmin' | 'isMentor' | 'emailVerifiedAt' | 'verifyBy'>>;

/** The account behind an address that a mail was asked for. */
export interface Addressee {
  id: number;
  verified: boolean;
  /** Neither deactivated nor about to be deleted, as it was not verified in time. */
  reachable: boolean;
}

@Injectable()
export class UsersRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly formerEmails: FormerEmails,
  ) {}

  /**
   * Stores a user. Two at the same time with one address or username have one winner.
   * @throws ApplicationError EMAIL_TAKEN, USERNAME_TAKEN
   */
  async insert(tx: EntityManager, user: NewUser): Promise<User> {
    if (await this.formerEmails.isReserved(tx, user.email, { now: user.createdAt })) {
      throw emailTaken();
    }
    const candidates =
      user.username === undefined
        ? usernameCandidates(user.fullName, user.isAdmin)
        : [user.username];
    for (const username of candidates) {
      const inserted = await this.insertAs(tx, user, username);
      if (inserted) return inserted;
      if (await tx.existsBy(User, { email: user.email })) throw emailTaken();
    }
    throw usernameTaken();
  }

  /** @throws ApplicationError NOT_FOUND for the unknown and the erased */
  async byId(id: number): Promise<User> {
    const user = await this.dataSource.manager.findOneBy(User, { id, erasedAt: IsNull() });
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /** @throws ApplicationError NOT_FOUND for the unknown and the deactivated */
  async activeById(id: number): Promise<User> {
    const user = await this.dataSource.manager.findOneBy(User, { id, isActive: true });
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /**
   * A user whose row is locked until the transaction ends, before anything of the user is: all take these locks in one
   * order. By default it may be referred to at the same time.
   * @throws ApplicationError NOT_FOUND for the unknown and the erased
   */
  async lock(
    tx: EntityManager,
    id: number,
    mode: 'for_no_key_update' | 'pessimistic_write' = 'for_no_key_update',
  ): Promise<User> {
    const user = await tx.findOne(User, {
      where: { id, erasedAt: IsNull() },
      lock: { mode },
    });
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /** The known ones, by id; of the erased nothing but that they are. */
  byIds(ids: number[]): Promise<User[]> {
    return this.dataSource.manager.find(User, { where: { id: In(ids) }, order: { id: 'ASC' } });
  }

  byEmail(tx: EntityManager, email: string): Promise<User | null> {
    return tx.findOneBy(User, { email });
  }

  /**
   * Whose address it is, and whether to write to it. Without making an entity, which takes a while that would tell the
   * known addresses from the unknown ones.
   */
  async addressee(tx: EntityManager, email: string, now: Date): Promise<Addressee | undefined> {
    const [row] = await tx.query<Addressee[]>(
      `SELECT id, email_verified_at IS NOT NULL AS verified,
         is_active AND (email_verified_at IS NOT NULL OR verify_by IS NULL OR verify_by > $2)
           AS reachable
       FROM users WHERE email = $1`,
      [email, now],
    );
    return row;
  }

  /** A user together with the hash of the password, if there is one; none for an account that was not verified in time. */
  credentialsOf(email: string, now: Date): Promise<User | null> {
    return this.dataSource.manager
      .createQueryBuilder(User, 'user')
      .addSelect('user.passwordHash')
      .where('user.email = :email', { email })
      .andWhere(
        '(user.emailVerifiedAt IS NOT NULL OR user.verifyBy IS NULL OR user.verifyBy > :now)',
        { now },
      )
      .getOne();
  }

  /** A user together with the hash of the password, if there is one. @throws ApplicationError NOT_FOUND */
  async withPasswordHash(id: number): Promise<User> {
    const user = await this.dataSource.manager
      .createQueryBuilder(User, 'user')
      .addSelect('user.passwordHash')
      .where({ id })
      .getOne();
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /** Whether this is the hash of the user's password, which nobody changes then until the transaction is over. */
  async hasHash(tx: EntityManager, id: number, hash: string | null): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      'SELECT 1 FROM users WHERE id = $1 AND password_hash = $2 FOR NO KEY UPDATE',
      [id, hash],
    );
    return rows.length > 0;
  }

  /** Replaces a password hash; false when the password has been changed meanwhile. */
  async replaceHash(
    tx: EntityManager,
    id: number,
    old: string | null,
    renewed: string,
  ): Promise<boolean> {
    const [, replaced] = await tx.query<[unknown[], number]>(
      `UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2`,
      [id, old, renewed],
    );
    return replaced > 0;
  }

  /** Sets the password hash, or with null leaves the account without a password. */
  async setHash(tx: EntityManager, id: number, passwordHash: string | null): Promise<void> {
    await tx.update(User, { id }, { passwordHash });
  }

  private async insertAs(
    tx: EntityManager,
    user: NewUser,
    username: string,
  ): Promise<User | undefined> {
    const { generatedMaps } = await tx
      .createQueryBuilder()
      .insert()
      .into(User)
      .values({
        isAdmin: false,
        isMentor: false,
        isActive: true,
        isPremium: false,
        bio: null,
        phone: null,
        avatarUrl: null,
        emailVerifiedAt: null,
        verifyBy: null,
        erasedAt: null,
        ...user,
        username,
      })
      // A violated key would end the transaction; this way it only yields no row.
      .orIgnore()
      .returning(['id'])
      .execute()
      // Given up by its owner, and so reserved, while this statement waited for it.
      .catch((error: unknown) => {
        throw isUniqueViolation(error, 'users_email_reserved') ? emailTaken() : error;
      });
    const id = (generatedMaps[0] as Partial<User> | undefined)?.id;
    return id === undefined ? undefined : tx.findOneByOrFail(User, { id });
  }
}

export function emailTaken(): ApplicationError {
  return new ApplicationError(
    'EMAIL_TAKEN',
    'This email address already has an account: sign in, or use another address.',
    { errors: [{ field: 'email', message: 'email already has an account.' }] },
  );
}

export function usernameReserved(): ApplicationError {
  return new ApplicationError('USERNAME_TAKEN', 'This username is reserved: choose another.', {
    errors: [{ field: 'username', message: 'username is reserved.' }],
  });
}

export function usernameTaken(): ApplicationError {
  return new ApplicationError('USERNAME_TAKEN', 'This username is taken: choose another.', {
    errors: [{ field: 'username', message: 'username is taken.' }],
  });
}

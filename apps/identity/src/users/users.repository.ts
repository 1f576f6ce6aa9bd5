import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, In } from 'typeorm';
import { User } from './user.entity.js';
import { usernameCandidates } from './username.js';

/** A user to be; without a username one is made from the name. */
export type NewUser = Pick<
  User,
  'email' | 'fullName' | 'passwordHash' | 'requestedRole' | 'timezone' | 'locale' | 'createdAt'
> &
  Partial<Pick<User, 'username' | 'isAdmin' | 'emailVerifiedAt' | 'verifyBy'>>;

@Injectable()
export class UsersRepository {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Stores a user. Two at the same time with one address or username have one winner.
   * @throws ApplicationError EMAIL_TAKEN, USERNAME_TAKEN
   */
  async insert(tx: EntityManager, user: NewUser): Promise<User> {
    const candidates =
      user.username === undefined
        ? usernameCandidates(user.fullName, user.isAdmin)
        : [user.username];
    for (const username of candidates) {
      const inserted = await this.insertAs(tx, user, username);
      if (inserted) return inserted;
      if (await tx.existsBy(User, { email: user.email })) {
        throw new ApplicationError(
          'EMAIL_TAKEN',
          'This email address already has an account: sign in, or use another address.',
          { errors: [{ field: 'email', message: 'email already has an account.' }] },
        );
      }
    }
    throw usernameTaken();
  }

  /** @throws ApplicationError NOT_FOUND */
  async byId(id: number): Promise<User> {
    const user = await this.dataSource.manager.findOneBy(User, { id });
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /** @throws ApplicationError NOT_FOUND for the unknown and the deactivated */
  async activeById(id: number): Promise<User> {
    const user = await this.dataSource.manager.findOneBy(User, { id, isActive: true });
    if (!user) throw ApplicationError.notFound('The user');
    return user;
  }

  /** The known ones, by id. */
  byIds(ids: number[]): Promise<User[]> {
    return this.dataSource.manager.find(User, { where: { id: In(ids) }, order: { id: 'ASC' } });
  }

  byEmail(tx: EntityManager, email: string): Promise<User | null> {
    return tx.findOneBy(User, { email });
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

  /**
   * Replaces a password hash, unless the password has been changed meanwhile.
   */
  async replaceHash(id: number, old: string, renewed: string): Promise<void> {
    await this.dataSource.manager.update(
      User,
      { id, passwordHash: old },
      { passwordHash: renewed },
    );
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
        bio: null,
        phone: null,
        avatarUrl: null,
        emailVerifiedAt: null,
        verifyBy: null,
        ...user,
        username,
      })
      // A violated key would end the transaction; this way it only yields no row.
      .orIgnore()
      .returning(['id'])
      .execute();
    const id = (generatedMaps[0] as Partial<User> | undefined)?.id;
    return id === undefined ? undefined : tx.findOneByOrFail(User, { id });
  }
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

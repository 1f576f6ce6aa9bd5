import { type Locale, type RoleAtRegistration, timeZoneOf } from '@mentorhub/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

@Entity('users')
export class User {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  /** Trimmed and in lower case, so that the unique key holds whatever the spelling. */
  @Column('text')
  email: string;

  @Column('text')
  username: string;

  @Column('text')
  fullName: string;

  /** PHC string; null for an account without a password. Only selected explicitly. */
  @Column('text', { select: false, nullable: true })
  passwordHash: string | null;

  /** What the user registered to be. Grants nothing. */
  @Column('text')
  requestedRole: RoleAtRegistration;

  @Column('boolean')
  isAdmin: boolean;

  /** Has an approved mentor profile; follows `mentorship.mentor.approved`. */
  @Column('boolean')
  isMentor: boolean;

  /** A user who is not may neither sign in nor refresh. */
  @Column('boolean')
  isActive: boolean;

  /** Has the higher limits of the gateways. */
  @Column('boolean')
  isPremium: boolean;

  @Column('text', { nullable: true })
  bio: string | null;

  @Column('text', { nullable: true })
  phone: string | null;

  @Column('text', { nullable: true })
  avatarUrl: string | null;

  /** IANA name. */
  @Column('text', { transformer: { to: (zone: string) => zone, from: timeZoneOf } })
  timezone: string;

  @Column('text')
  locale: Locale;

  @Column('timestamptz', { nullable: true })
  emailVerifiedAt: Date | null;

  /** The account expires then unless the address is verified; null for accounts that do not. */
  @Column('timestamptz', { nullable: true })
  verifyBy: Date | null;

  @Column('timestamptz')
  createdAt: Date;

  /** When the user erased the account; nothing of the person is left here since. */
  @Column('timestamptz', { nullable: true })
  erasedAt: Date | null;
}

import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** What a sign-in proves its user by. */
export type SignInMethod = 'password' | 'email' | 'provider' | 'passkey';

/** A signed-in device: one sign-in and every token that came of it. */
@Entity('sessions')
export class Session {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column('integer')
  userId: number;

  @Column('text')
  userAgent: string;

  @Column('text')
  ip: string;

  @Column('timestamptz')
  createdAt: Date;

  @Column('timestamptz')
  lastUsedAt: Date;

  /** From then on nothing refreshes it. */
  @Column('timestamptz')
  expiresAt: Date;

  /** When the youngest of its access tokens expires. */
  @Column('timestamptz')
  accessExpiresAt: Date;

  /** How its user proved who they are; null for sessions from before this was recorded. */
  @Column('text', { nullable: true })
  method: SignInMethod | null;

  /** When its user last did so; null when that was never asked for. */
  @Column('timestamptz', { nullable: true })
  authenticatedAt: Date | null;

  @Column('timestamptz', { nullable: true })
  revokedAt: Date | null;
}

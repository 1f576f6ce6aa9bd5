import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

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

  @Column('timestamptz', { nullable: true })
  revokedAt: Date | null;
}

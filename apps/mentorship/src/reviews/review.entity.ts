import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** A mentee's public opinion of a session; one for each booking. */
@Entity('reviews')
export class Review {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  bookingId: number;

  @Column({ type: 'integer' })
  mentorId: number;

  @Column({ type: 'integer' })
  authorUserId: number;

  /** 1 to 5. */
  @Column({ type: 'smallint' })
  rating: number;

  @Column({ type: 'text', nullable: true })
  comment: string | null;

  @Column({ type: 'timestamptz' })
  createdAt: Date;
}

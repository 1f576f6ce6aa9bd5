import { mentorCurrency, type MentorStatus, timeZoneOf } from '@mentorhub/contracts';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';

/** A mentor's profile: born as an application, public once approved. */
@Entity('mentors')
export class Mentor {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'BY DEFAULT' })
  id: number;

  @Column({ type: 'integer' })
  userId: number;

  @Column({ type: 'text' })
  status: MentorStatus;

  @Column({ type: 'text' })
  title: string;

  @Column({ type: 'text' })
  description: string;

  @Column({ type: 'text', array: true })
  skills: string[];

  /** `skills` as filters compare them: in lower case. */
  @Column({ type: 'text', array: true })
  skillKeys: string[];

  /** Title, description and skills as the search reads them: in lower case. */
  @Column({ type: 'text' })
  searchText: string;

  /** Minor units. */
  @Column({ type: 'integer' })
  pricePerHourMinor: number;

  /** ISO 4217. */
  @Column({ type: 'text', default: mentorCurrency })
  currency: string;

  /** IANA zone of the availability. */
  @Column({ type: 'text', transformer: { to: (zone: string) => zone, from: timeZoneOf } })
  timezone: string;

  /** Lengths of sessions on offer, in minutes; the first is the usual one. */
  @Column({ type: 'integer', array: true, default: '{60,30,90}' })
  sessionDurations: number[];

  @Column({ type: 'integer', default: 30 })
  slotIntervalMinutes: number;

  @Column({ type: 'integer', default: 0 })
  bufferBeforeMinutes: number;

  @Column({ type: 'integer', default: 0 })
  bufferAfterMinutes: number;

  @Column({ type: 'integer', default: 60 })
  minimumNoticeMinutes: number;

  @Column({ type: 'integer', default: 60 })
  bookingWindowDays: number;

  @Column({ type: 'text', nullable: true })
  company: string | null;

  @Column({ type: 'text', nullable: true })
  jobTitle: string | null;

  @Column({ type: 'integer', nullable: true })
  yearsOfExperience: number | null;

  @Column({ type: 'text', nullable: true })
  linkedinUrl: string | null;

  @Column({ type: 'text', nullable: true })
  githubUrl: string | null;

  @Column({ type: 'text', nullable: true })
  twitterUrl: string | null;

  @Column({ type: 'integer', default: 1 })
  version: number;

  @Column({ type: 'timestamptz' })
  appliedAt: Date;

  @Column({ type: 'timestamptz', nullable: true })
  decidedAt: Date | null;

  @Column({ type: 'text', nullable: true })
  decisionReason: string | null;

  /** When its user erased the account; it says nothing since, and can be approved no more. */
  @Column({ type: 'timestamptz', nullable: true })
  erasedAt: Date | null;
}

/** The columns that searches read, made from those that people do. */
export function searchColumns({
  title,
  description,
  skills,
}: Pick<Mentor, 'title' | 'description' | 'skills'>): Pick<Mentor, 'skillKeys' | 'searchText'> {
  return {
    skillKeys: [...new Set(skills.map((skill) => skill.toLowerCase()))],
    searchText: [title, description, ...skills].join('\n').toLowerCase(),
  };
}

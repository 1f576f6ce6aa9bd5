import type { MentorOrder, ReviewView } from '@mentorhub/contracts';
import { preparedQuery } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Remembered } from '../availability/next-available.js';

/** A mentor as reads need it; names are null while the person is not known here. */
export interface MentorRecord extends Remembered {
  readonly userId: number;
  fullName: string | null;
  avatarUrl: string | null;
  readonly status: string;
  readonly title: string;
  readonly description: string;
  readonly skills: string[];
  readonly pricePerHourMinor: number;
  readonly currency: string;
  readonly timezone: string;
  readonly rating: number | null;
  readonly completedSessions: number;
  readonly company: string | null;
  readonly jobTitle: string | null;
  readonly yearsOfExperience: number | null;
  readonly linkedinUrl: string | null;
  readonly githubUrl: string | null;
  readonly twitterUrl: string | null;
  readonly version: number;
}

export interface DetailedMentorRecord extends MentorRecord {
  /** The newest ten. */
  readonly reviews: (Omit<ReviewView, 'student_name'> & {
    author_user_id: number;
    student_name: string | null;
  })[];
}

export interface MentorSearch {
  /** One of the skills, whatever its case. */
  skill?: string;
  minPriceMinor?: number;
  maxPriceMinor?: number;
  minRating?: number;
  /** Words that must all occur in name, title, description or skills; very short ones must be a skill. */
  words?: string[];
  order: MentorOrder;
  limit: number;
  offset: number;
}

const columns = `
  m.id, m.user_id AS "userId", p.full_name AS "fullName", p.avatar_url AS "avatarUrl", m.status, m.title,
  m.description, m.skills, m.price_per_hour_minor AS "pricePerHourMinor", m.currency, m.timezone,
  s.rating::float8 AS rating, s.completed_sessions AS "completedSessions", m.company, m.job_title AS "jobTitle",
  m.years_of_experience AS "yearsOfExperience", m.linkedin_url AS "linkedinUrl", m.github_url AS "githubUrl",
  m.twitter_url AS "twitterUrl", m.version, s.next_available_at AS "nextAvailableAt",
  s.next_available_until AS "nextAvailableUntil"`;

const orders: Record<MentorOrder, string> = {
  rating: 's.rating DESC NULLS LAST, s.rating_count DESC, s.mentor_id',
  price: 'm.price_per_hour_minor, m.id',
  '-price': 'm.price_per_hour_minor DESC, m.id DESC',
  sessions: 's.completed_sessions DESC, s.mentor_id',
  newest: 'm.id DESC',
};

/** One statement: profile, person and the newest reviews, which PostgreSQL renders as the answer wants them. */
const detailsSql = `
  SELECT ${columns}, coalesce(newest.reviews, '[]'::json) AS reviews
  FROM mentors m
  JOIN mentor_stats s ON s.mentor_id = m.id
  LEFT JOIN people p ON p.user_id = m.user_id
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('id', r.id, 'author_user_id', r.author_user_id,
      'student_name', author.full_name, 'rating', r.rating, 'comment', r.comment,
      'created_at', to_char(r.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      ORDER BY r.created_at DESC, r.id DESC) AS reviews
    FROM (SELECT * FROM reviews WHERE mentor_id = m.id ORDER BY created_at DESC, id DESC LIMIT 10) r
    LEFT JOIN people author ON author.user_id = r.author_user_id
  ) newest ON true
  WHERE m.id = $1 AND m.status = 'approved'`;

@Injectable()
export class MentorsRepository {
  constructor(private readonly dataSource: DataSource) {}

  /** An approved mentor with reviews. One statement. */
  async details(id: number): Promise<DetailedMentorRecord | undefined> {
    const [mentor] = await preparedQuery<DetailedMentorRecord>(this.dataSource, {
      name: 'mentor_details',
      text: detailsSql,
      values: [id],
    });
    return mentor;
  }

  /** An approved mentor. */
  async approved(id: number): Promise<MentorRecord | undefined> {
    return this.one(`m.id = $1 AND m.status = 'approved'`, id);
  }

  /** A user's own profile, whatever its status. */
  async ofUser(userId: number): Promise<MentorRecord | undefined> {
    return this.one('m.user_id = $1', userId);
  }

  /** Whether a user has or had a session with a mentor: a booking that was confirmed and not cancelled since. */
  async hasMentee(mentorId: number, userId: number): Promise<boolean> {
    const [row] = await this.dataSource.query<{ found: boolean }[]>(
      `SELECT EXISTS (
         SELECT FROM bookings
         WHERE mentor_id = $1 AND mentee_user_id = $2 AND status IN ('confirmed', 'completed')
       ) AS found`,
      [mentorId, userId],
    );
    return row?.found ?? false;
  }

  /** One page of the approved mentors that fit, and how many fit. */
  async search(search: MentorSearch): Promise<{ mentors: MentorRecord[]; total: number }> {
    const values: unknown[] = [];
    const value = (given: unknown): string => `$${values.push(given)}`;
    const conditions = [`m.status = 'approved'`];
    if (search.skill !== undefined) {
      conditions.push(`m.skill_keys @> ARRAY[${value(search.skill.toLowerCase())}]`);
    }
    if (search.minPriceMinor !== undefined) {
      conditions.push(`m.price_per_hour_minor >= ${value(search.minPriceMinor)}`);
    }
    if (search.maxPriceMinor !== undefined) {
      conditions.push(`m.price_per_hour_minor <= ${value(search.maxPriceMinor)}`);
    }
    if (search.minRating !== undefined) conditions.push(`s.rating >= ${value(search.minRating)}`);
    for (const word of search.words ?? []) {
      // Without three letters in a row the trigram indexes are of no use; a name so short is that of a skill.
      if (!/[\p{L}\p{N}]{3}/u.test(word)) {
        conditions.push(`m.skill_keys @> ARRAY[${value(word.toLowerCase())}]`);
        continue;
      }
      const pattern = value(`%${word.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
      // A union, not OR: each side has its own trigram index.
      conditions.push(`m.id IN (
        SELECT id FROM mentors WHERE search_text LIKE ${pattern}
        UNION ALL
        SELECT named.id FROM people JOIN mentors named USING (user_id) WHERE lower(people.full_name) LIKE ${pattern})`);
    }
    const where = conditions.join(' AND ');
    const [mentors, [count]] = await Promise.all([
      this.dataSource.query<MentorRecord[]>(
        `SELECT ${columns} FROM mentors m JOIN mentor_stats s ON s.mentor_id = m.id LEFT JOIN people p ON p.user_id = m.user_id
         WHERE ${where} ORDER BY ${orders[search.order]}
         LIMIT $${values.length + 1} OFFSET $${values.length + 2}`,
        [...values, search.limit, search.offset],
      ),
      this.dataSource.query<{ total: number }[]>(
        `SELECT count(*) AS total FROM mentors m JOIN mentor_stats s ON s.mentor_id = m.id WHERE ${where}`,
        values,
      ),
    ]);
    return { mentors, total: count?.total ?? 0 };
  }

  private async one(condition: string, key: number): Promise<MentorRecord | undefined> {
    const [mentor] = await this.dataSource.query<MentorRecord[]>(
      `SELECT ${columns} FROM mentors m JOIN mentor_stats s ON s.mentor_id = m.id LEFT JOIN people p ON p.user_id = m.user_id WHERE ${condition}`,
      [key],
    );
    return mentor;
  }
}

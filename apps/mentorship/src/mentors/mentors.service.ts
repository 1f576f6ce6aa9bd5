import {
  type Caller,
  ApplicationError,
  type ListMentorProfiles,
  type ListMentors,
  mentorCurrency,
  type MentorAvailability,
  type MentorDetails,
  type MentorItem,
  type MentorPage,
  type MentorProfile,
  type MentorProfilePage,
  type MentorUser,
  paging,
  shownName,
  timeZoneOf,
  toMajor,
  toMinor,
  toPage,
  Users,
} from '@mentorhub/contracts';
import { RequestClient, requestContext } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AvailabilityService } from '../availability/availability.service.js';
import { NextAvailable } from '../availability/next-available.js';
import { SlotsService } from '../availability/slots.service.js';
import { rfc3339 } from '../instants.js';
import { type MentorRecord, MentorsRepository } from './mentors.repository.js';

/** A DTO as the plain object it is in services, where the classes are types alone. */
type Plain<Dto> = { [Key in keyof Dto]: Dto[Key] };

/** Details without the email address are better than late ones: how long identity may take, in milliseconds. */
const contactDeadlineMs = 500;

/** Mentors as everyone sees them. */
@Injectable()
export class MentorsService {
  private readonly logger = new Logger(MentorsService.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly mentors: MentorsRepository,
    private readonly people: People,
    private readonly nextAvailable: NextAvailable,
    private readonly slots: SlotsService,
    private readonly availability: AvailabilityService,
    private readonly requests: RequestClient,
  ) {}

  async list(query: ListMentors): Promise<MentorPage> {
    const { limit, offset } = paging(query);
    const { mentors, total } = await this.mentors.search({
      skill: query.skill,
      minPriceMinor:
        query.min_price === undefined ? undefined : toMinor(query.min_price, mentorCurrency),
      maxPriceMinor:
        query.max_price === undefined ? undefined : toMinor(query.max_price, mentorCurrency),
      minRating: query.min_rating,
      words: wordsOf(query.q),
      order: query.sort ?? 'rating',
      limit,
      offset,
    });
    const [next] = await Promise.all([this.nextAvailable.of(mentors), this.nameMissing(mentors)]);
    const items = mentors.map((mentor) => mentorItem(mentor, next.get(mentor.id) ?? null));
    return toPage(items, total, query);
  }

  /**
   * A mentor with the newest reviews. Mentees with a confirmed or completed booking also get the email address, unless
   * identity does not answer.
   *
   * @throws ApplicationError `NOT_FOUND` without an approved mentor
   */
  async details(actor: Caller | undefined, id: number): Promise<MentorDetails> {
    const mentor = await this.mentors.details(id);
    if (!mentor) throw ApplicationError.notFound('The mentor');
    const [next, email] = await Promise.all([
      this.nextAvailable.of([mentor]),
      actor ? this.emailFor(actor, mentor) : undefined,
      this.nameMissing([mentor]),
    ]);
    const authors = await this.people.ensure(
      mentor.reviews.flatMap(({ student_name, author_user_id }) =>
        student_name === null ? [author_user_id] : [],
      ),
    );
    return {
      ...mentorItem(mentor, next.get(mentor.id) ?? null),
      user: { ...mentorUser(mentor), ...(email === undefined ? {} : { email }) },
      timezone: timeZoneOf(mentor.timezone),
      reviews: mentor.reviews.map(({ author_user_id, student_name, ...review }) => ({
        ...review,
        student_name: shownName(
          student_name ?? authors.get(author_user_id)?.full_name,
          requestContext.current()?.locale,
        ),
      })),
    };
  }

  async listProfiles(query: ListMentorProfiles): Promise<MentorProfilePage> {
    const { limit, offset } = paging(query);
    const { mentors, total } = await this.mentors.search({
      skill: query.expertise,
      minRating: query.min_rating,
      words: wordsOf(query.search),
      order: 'rating',
      limit,
      offset,
    });
    await this.nameMissing(mentors);
    return toPage(mentors.map(mentorProfile), total, query);
  }

  /** @throws ApplicationError `NOT_FOUND` without an approved mentor */
  async profile(id: number): Promise<MentorProfile> {
    return mentorProfile(await this.approved(id));
  }

  /** The actor's own profile, approved or not. @throws ApplicationError `NOT_FOUND` before the first application */
  async myProfile({ user_id }: Caller): Promise<MentorProfile> {
    const mentor = await this.mentors.ofUser(user_id);
    if (!mentor) {
      throw new ApplicationError(
        'NOT_FOUND',
        'You have no mentor profile yet: apply as a mentor first.',
      );
    }
    await this.nameMissing([mentor]);
    return mentorProfile(mentor);
  }

  /** A mentor's availability and the free slots of the next 30 days. @throws ApplicationError `NOT_FOUND` */
  async availabilityOf(id: number): Promise<MentorAvailability> {
    const mentor = await this.approved(id);
    const [{ timezone, rules }, slots] = await Promise.all([
      this.availability.view(this.dataSource.manager, mentor),
      this.slots.ofNextDays(id, 30),
    ]);
    return { timezone, rules, slots };
  }

  private async approved(id: number): Promise<MentorRecord> {
    const mentor = await this.mentors.approved(id);
    if (!mentor) throw ApplicationError.notFound('The mentor');
    await this.nameMissing([mentor]);
    return mentor;
  }

  /** Fills in the names of people whose event has not arrived yet. */
  private async nameMissing(mentors: readonly MentorRecord[]): Promise<void> {
    const nameless = mentors.filter(({ fullName }) => fullName === null);
    if (nameless.length === 0) return;
    const people = await this.people.ensure(nameless.map(({ userId }) => userId));
    for (const mentor of nameless) {
      const person = people.get(mentor.userId);
      mentor.fullName = person?.full_name ?? null;
      mentor.avatarUrl = person?.avatar_url ?? null;
    }
  }

  private async emailFor(actor: Caller, { id, userId }: MentorRecord): Promise<string | undefined> {
    if (!(await this.mentors.hasMentee(id, actor.user_id))) return undefined;
    try {
      const contact = await this.requests.request(
        Users.contact,
        undefined,
        { user_id: userId },
        { deadlineMs: contactDeadlineMs },
      );
      return contact.email;
    } catch (error) {
      this.logger.warn('The details of a mentor were answered without contact.', {
        user_id: userId,
        reason: error instanceof ApplicationError ? error.code : String(error),
      });
      return undefined;
    }
  }
}

function wordsOf(text: string | undefined): string[] {
  return text?.split(/\s+/).filter((word) => word !== '') ?? [];
}

function mentorUser({ userId, fullName, avatarUrl }: MentorRecord): Plain<MentorUser> {
  return { id: userId, full_name: fullName ?? '', avatar_url: avatarUrl };
}

function mentorItem(mentor: MentorRecord, next: Date | null): Plain<MentorItem> {
  return {
    id: mentor.id,
    user: mentorUser(mentor),
    title: mentor.title,
    description: mentor.description,
    skills: mentor.skills,
    price_per_hour: toMajor(mentor.pricePerHourMinor, mentor.currency),
    currency: mentor.currency,
    rating: mentor.rating,
    total_sessions: mentor.completedSessions,
    available: next !== null,
    next_available_at: next && rfc3339(next),
  };
}

function mentorProfile(mentor: MentorRecord): MentorProfile {
  return {
    id: mentor.id,
    user_id: mentor.userId,
    name: mentor.fullName ?? '',
    bio: mentor.description,
    photo_url: mentor.avatarUrl,
    expertise: mentor.skills,
    company: mentor.company,
    job_title: mentor.jobTitle ?? mentor.title,
    years_of_experience: mentor.yearsOfExperience,
    linkedin_url: mentor.linkedinUrl,
    github_url: mentor.githubUrl,
    twitter_url: mentor.twitterUrl,
    rating: mentor.rating,
    total_sessions: mentor.completedSessions,
    availability_timezone: timeZoneOf(mentor.timezone),
    is_approved: mentor.status === 'approved',
    version: mentor.version,
  };
}

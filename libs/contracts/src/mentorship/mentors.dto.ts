import {
  Choice,
  Currency,
  Decimal,
  Flag,
  Id,
  Instant,
  Integer,
  Items,
  Money,
  Nested,
  QueryDecimal,
  QueryMoney,
  SearchWords,
  Text,
  Texts,
  TimeZone,
  WebAddress,
} from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import { WeeklyAvailability } from './availability.dto.js';
import { maxPricePerHour, mentorCurrency } from './mentor-currency.js';

export const mentorStatuses = ['pending', 'approved', 'rejected'] as const;
export type MentorStatus = (typeof mentorStatuses)[number];

const mentorOrders = ['rating', 'price', '-price', 'sessions', 'newest'] as const;
export type MentorOrder = (typeof mentorOrders)[number];

export class MentorUser {
  @Id({ example: 2 })
  id: number;

  @Text({ max: 120, example: 'Grace Hopper' })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

export class MentorUserDetails extends MentorUser {
  @Text({
    max: 254,
    optional: true,
    description: 'Only for mentees with a confirmed or completed booking.',
  })
  email?: string;
}

export class MentorItem {
  @Id({ example: 1 })
  id: number;

  @Nested(() => MentorUser)
  user: MentorUser;

  @Text({ max: 120, example: 'Senior Python Developer' })
  title: string;

  @Text({ max: 4000 })
  description: string;

  @Texts({ maxItems: 20, max: 40, example: ['Python', 'Django'] })
  skills: string[];

  @Money({ max: maxPricePerHour })
  price_per_hour: number;

  @Currency()
  currency: string;

  @Decimal({
    nullable: true,
    example: 4.8,
    description: 'Mean of all reviews; null before the first.',
  })
  rating: number | null;

  @Integer({ example: 120, description: 'Completed sessions.' })
  total_sessions: number;

  @Flag({ description: 'Has a free slot within the booking window.' })
  available: boolean;

  @Instant({ nullable: true })
  next_available_at: string | null;
}

export class ReviewView {
  @Id()
  id: number;

  @Text({ max: 120 })
  student_name: string;

  @Integer({ min: 1, max: 5 })
  rating: number;

  @Text({ max: 4000, nullable: true })
  comment: string | null;

  @Instant()
  created_at: string;
}

export class MentorDetails extends MentorItem {
  @Nested(() => MentorUserDetails)
  override user: MentorUserDetails;

  @TimeZone()
  timezone: string;

  @Items(() => ReviewView, { description: 'The newest ten.' })
  reviews: ReviewView[];
}

export class MentorPage extends PageOf(MentorItem) {}

export class ListMentors extends PageQuery {
  @Text({ max: 40, optional: true, example: 'python' })
  skill?: string;

  @QueryMoney({ optional: true, max: maxPricePerHour, currency: mentorCurrency })
  min_price?: number;

  @QueryMoney({ optional: true, max: maxPricePerHour, currency: mentorCurrency })
  max_price?: number;

  @QueryDecimal({ min: 1, max: 5, optional: true })
  min_rating?: number;

  @SearchWords({
    max: 100,
    optional: true,
    description:
      'At most five words of name, title, description or skills; very short ones are names of skills, such as `Go` and `C#`.',
  })
  q?: string;

  @Choice(mentorOrders, { optional: true, description: 'Default rating.' })
  sort?: MentorOrder;
}

export class ApplyAsMentor {
  @Text({ max: 120, example: 'Senior Python Developer' })
  title: string;

  @Text({ max: 4000, example: 'Ten years of Python.' })
  description: string;

  @Texts({ minItems: 1, maxItems: 20, max: 40, example: ['Python', 'Django'] })
  skills: string[];

  @Money({ max: maxPricePerHour, currency: mentorCurrency })
  price_per_hour: number;

  @Nested(() => WeeklyAvailability, { optional: true })
  availability?: WeeklyAvailability;

  @TimeZone({
    optional: true,
    description: 'Zone of `availability`; default: that of the profile.',
  })
  timezone?: string;
}

export class MentorApplication {
  @Id({ example: 1 })
  id: number;

  @Choice(mentorStatuses)
  status: MentorStatus;

  @Text({ max: 200 })
  message: string;
}

export class ListApplications extends PageQuery {
  @Choice(mentorStatuses, { optional: true, description: 'Default pending.' })
  status?: MentorStatus;
}

export class ApplicationItem {
  @Id()
  id: number;

  @Nested(() => MentorUser)
  user: MentorUser;

  @Text({ max: 120 })
  title: string;

  @Text({ max: 4000 })
  description: string;

  @Texts({ maxItems: 20, max: 40 })
  skills: string[];

  @Money({ max: maxPricePerHour })
  price_per_hour: number;

  @Choice(mentorStatuses)
  status: MentorStatus;

  @Instant()
  applied_at: string;
}

export class ApplicationPage extends PageOf(ApplicationItem) {}

export class RejectMentor {
  @Text({ max: 500, example: 'Please describe your experience.' })
  reason: string;
}

export class ListMentorProfiles extends PageQuery {
  @Text({ max: 40, optional: true })
  expertise?: string;

  @SearchWords({ max: 100, optional: true, description: 'As `q` of `/mentors`.' })
  search?: string;

  @QueryDecimal({ min: 1, max: 5, optional: true })
  min_rating?: number;
}

export class MentorProfile {
  @Id()
  id: number;

  @Id()
  user_id: number;

  @Text({ max: 120 })
  name: string;

  @Text({ max: 4000 })
  bio: string;

  @WebAddress({ nullable: true })
  photo_url: string | null;

  @Texts({ maxItems: 20, max: 40 })
  expertise: string[];

  @Text({ max: 120, nullable: true })
  company: string | null;

  @Text({ max: 120, nullable: true })
  job_title: string | null;

  @Integer({ min: 0, max: 80, nullable: true })
  years_of_experience: number | null;

  @WebAddress({ nullable: true })
  linkedin_url: string | null;

  @WebAddress({ nullable: true })
  github_url: string | null;

  @WebAddress({ nullable: true })
  twitter_url: string | null;

  @Decimal({ nullable: true })
  rating: number | null;

  @Integer()
  total_sessions: number;

  @TimeZone()
  availability_timezone: string;

  @Flag()
  is_approved: boolean;

  @Integer({ description: 'Required on update; a stale one is refused with 409.' })
  version: number;
}

export class MentorProfilePage extends PageOf(MentorProfile) {}

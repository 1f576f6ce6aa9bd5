import { Transform, Type } from 'class-transformer';
import {
  CalendarDate,
  Choice,
  ClockTime,
  Decimal,
  Flag,
  Instant,
  Integer,
  Items,
  Money,
  Nested,
  Text,
  Texts,
  TimeZone,
  WebAddress,
} from '../core/fields.js';
import { PageQuery } from '../core/page.dto.js';

export const mentorStatuses = ['pending', 'approved', 'rejected'] as const;
export type MentorStatus = (typeof mentorStatuses)[number];

export const bookingStatuses = [
  'pending',
  'confirmed',
  'completed',
  'cancelled_by_mentor',
  'cancelled_by_mentee',
  'expired',
  'no_show',
] as const;
export type BookingStatus = (typeof bookingStatuses)[number];

/** A booking's status as the `/sessions` view shows it. */
export const sessionStatuses = [
  'scheduled',
  'completed',
  'cancelled',
  'expired',
  'no_show',
] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

export const paymentStatuses = [
  'not_required',
  'unpaid',
  'paid',
  'refunded',
  'partially_refunded',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

const mentorOrders = ['rating', 'price', '-price', 'sessions', 'newest'] as const;
export type MentorOrder = (typeof mentorOrders)[number];

export const weekdays = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;
export type Weekday = (typeof weekdays)[number];

// --- mentors, MentorHub view

export class MentorUser {
  @Integer({ example: 2 })
  id: number;

  @Text({ max: 120, example: 'Grace Hopper' })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

export class MentorUserDetails extends MentorUser {
  @Text({ max: 254, optional: true, description: 'Only for signed-in callers.' })
  email?: string;
}

export class MentorItem {
  @Integer({ example: 1 })
  id: number;

  @Nested(() => MentorUser)
  user: MentorUser;

  @Text({ max: 120, example: 'Senior Python Developer' })
  title: string;

  @Text({ max: 4000 })
  description: string;

  @Texts({ maxItems: 20, max: 40, example: ['Python', 'Django'] })
  skills: string[];

  @Money()
  price_per_hour: number;

  @Text({ max: 3, example: 'RUB', description: 'ISO 4217.' })
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
  @Integer()
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

export class MentorPage {
  @Items(() => MentorItem)
  items: MentorItem[];

  @Integer()
  total: number;

  @Integer()
  page: number;

  @Integer()
  pages: number;
}

export class ListMentors extends PageQuery {
  @Text({ max: 40, optional: true, example: 'python' })
  skill?: string;

  @Money({ optional: true })
  @Type(() => Number)
  min_price?: number;

  @Money({ optional: true })
  @Type(() => Number)
  max_price?: number;

  @Decimal({ min: 1, max: 5, optional: true })
  @Type(() => Number)
  min_rating?: number;

  @Text({ max: 100, optional: true, description: 'Words of name, title, description or skills.' })
  q?: string;

  @Choice(mentorOrders, { optional: true, description: 'Default rating.' })
  sort?: MentorOrder;
}

/** Weekday → ranges of wall-clock time in the mentor's zone, `HH:MM-HH:MM`. */
export class WeeklyAvailability implements Partial<Record<Weekday, string[]>> {
  @Texts({ maxItems: 12, max: 11, optional: true })
  sunday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true, example: ['10:00-18:00'] })
  monday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  tuesday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true, example: ['14:00-20:00'] })
  wednesday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  thursday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  friday?: string[];

  @Texts({ maxItems: 12, max: 11, optional: true })
  saturday?: string[];
}

export class ApplyAsMentor {
  @Text({ max: 120, example: 'Senior Python Developer' })
  title: string;

  @Text({ max: 4000, example: 'Ten years of Python.' })
  description: string;

  @Texts({ minItems: 1, maxItems: 20, max: 40, example: ['Python', 'Django'] })
  skills: string[];

  @Money()
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
  @Integer({ example: 1 })
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
  @Integer()
  id: number;

  @Nested(() => MentorUser)
  user: MentorUser;

  @Text({ max: 120 })
  title: string;

  @Text({ max: 4000 })
  description: string;

  @Texts({ maxItems: 20, max: 40 })
  skills: string[];

  @Money()
  price_per_hour: number;

  @Choice(mentorStatuses)
  status: MentorStatus;

  @Instant()
  applied_at: string;
}

export class ApplicationPage {
  @Items(() => ApplicationItem)
  items: ApplicationItem[];

  @Integer()
  total: number;

  @Integer()
  page: number;

  @Integer()
  pages: number;
}

export class RejectMentor {
  @Text({ max: 500, example: 'Please describe your experience.' })
  reason: string;
}

// --- slots and availability

export class FindSlots {
  @Instant({ optional: true, description: 'Default: now.' })
  from?: string;

  @Instant({
    optional: true,
    description: 'Default: 14 days after `from`; at most 62 days after it.',
  })
  to?: string;

  @Integer({
    min: 15,
    max: 480,
    optional: true,
    description: "Default: the mentor's first duration.",
  })
  @Type(() => Number)
  duration_minutes?: number;

  @TimeZone({ optional: true, description: "Zone of `local_start`; default: the mentor's." })
  timezone?: string;
}

export class Slot {
  @Instant()
  starts_at: string;

  @Instant()
  ends_at: string;

  @Text({ max: 25, example: '2026-11-25T16:00:00+01:00' })
  local_start: string;
}

export class SlotList {
  @TimeZone()
  timezone: string;

  @Items(() => Slot)
  slots: Slot[];
}

/** One rule of availability, in wall-clock time of the mentor's zone. */
export class AvailabilityRule {
  @Integer({
    min: 0,
    max: 6,
    optional: true,
    nullable: true,
    description: 'Sunday = 0; for recurring rules.',
  })
  day_of_week?: number | null;

  @ClockTime()
  start_time: string;

  @ClockTime({ example: '17:00' })
  end_time: string;

  @Flag({ optional: true, description: 'Default true.' })
  is_recurring?: boolean;

  @CalendarDate({
    optional: true,
    nullable: true,
    description: "Overrides the weekday's rules on that date.",
  })
  specific_date?: string | null;

  @Flag({ optional: true, description: 'Default true; an inactive dated rule blocks the date.' })
  is_active?: boolean;
}

export class ReplaceAvailability {
  @Items(() => AvailabilityRule, { maxItems: 200 })
  rules: AvailabilityRule[];

  @TimeZone({ optional: true, description: "Sets the mentor's zone too." })
  timezone?: string;
}

export class AvailabilityRuleView extends AvailabilityRule {
  @Integer()
  id: number;
}

export class AvailabilityView {
  @TimeZone()
  timezone: string;

  @Items(() => AvailabilityRuleView)
  rules: AvailabilityRuleView[];
}

export class MentorAvailability extends AvailabilityView {
  @Items(() => Slot, { description: 'Free slots of the next 30 days.' })
  slots: Slot[];
}

// --- mentors, Mansa view

export class ListMentorProfiles extends PageQuery {
  @Text({ max: 40, optional: true })
  expertise?: string;

  @Text({ max: 100, optional: true })
  search?: string;

  @Decimal({ min: 1, max: 5, optional: true })
  @Type(() => Number)
  min_rating?: number;
}

export class MentorProfile {
  @Integer()
  id: number;

  @Integer()
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

export class MentorProfilePage {
  @Items(() => MentorProfile)
  items: MentorProfile[];

  @Integer()
  total: number;

  @Integer()
  page: number;

  @Integer()
  pages: number;
}

// --- bookings, MentorHub view: sessions

export class BookSession {
  @Integer({ min: 1, example: 1 })
  mentor_id: number;

  @Instant({ description: 'Start of a free slot.' })
  scheduled_at: string;

  @Integer({ min: 15, max: 480, example: 60 })
  duration_minutes: number;

  @Text({ max: 200, example: 'Preparing for an interview' })
  topic: string;

  @Text({ min: 0, max: 4000, optional: true, example: 'I need help with algorithms.' })
  notes?: string;
}

export class SessionMentor {
  @Integer({ description: 'Id of the mentor profile.' })
  id: number;

  @Integer()
  user_id: number;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

export class SessionStudent {
  @Integer()
  id: number;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

/** A booking as `/sessions` shows it. */
export class SessionView {
  @Integer({ example: 1 })
  id: number;

  @Nested(() => SessionMentor)
  mentor: SessionMentor;

  @Nested(() => SessionStudent)
  student: SessionStudent;

  @Instant()
  scheduled_at: string;

  @Integer({ example: 60 })
  duration_minutes: number;

  @Text({ max: 200 })
  topic: string;

  @Text({ max: 4000, nullable: true })
  notes: string | null;

  @Choice(sessionStatuses)
  status: SessionStatus;

  @Choice(bookingStatuses)
  booking_status: BookingStatus;

  @Money()
  price: number;

  @Text({ max: 3, example: 'RUB' })
  currency: string;

  @Choice(paymentStatuses)
  payment_status: PaymentStatus;

  @WebAddress({
    nullable: true,
    insecure: true,
    description: 'Where to pay; null once nothing is due.',
  })
  payment_url: string | null;

  @WebAddress({ nullable: true, insecure: true, description: 'Page that leads to the meeting.' })
  join_url: string | null;

  @WebAddress({ nullable: true })
  meeting_url: string | null;

  @Text({ max: 40, nullable: true, example: 'zoom' })
  meeting_platform: string | null;

  @Integer({ min: 1, max: 5, nullable: true })
  rating: number | null;

  @Instant({ nullable: true })
  completed_at: string | null;

  @Integer({ description: 'Guards against stale writes.' })
  version: number;
}

export class SessionPage {
  @Items(() => SessionView)
  items: SessionView[];

  @Integer()
  total: number;

  @Integer()
  page: number;

  @Integer()
  pages: number;
}

const parties = ['mentor', 'mentee'] as const;
export type Party = (typeof parties)[number];

export class ListSessions extends PageQuery {
  @Choice(sessionStatuses, { optional: true })
  status?: SessionStatus;

  @Choice([...parties, 'student'], { optional: true, description: 'Default: both sides.' })
  @Transform(({ value }: { value: unknown }) => (value === 'student' ? 'mentee' : value))
  role?: Party;

  @Instant({ optional: true })
  from?: string;

  @Instant({ optional: true })
  to?: string;
}

export class ConfirmSession {
  @Integer({ min: 1, optional: true })
  version?: number;
}

export class CancelSession {
  @Text({ max: 500, optional: true })
  reason?: string;

  @Integer({ min: 1, optional: true })
  version?: number;
}

export class CompleteSession {
  @Integer({ min: 1, max: 5, optional: true, example: 5 })
  rating?: number;

  @Text({ max: 4000, optional: true, description: 'Public, with the rating.' })
  review?: string;

  @Text({ max: 4000, optional: true, description: 'For the other party only.' })
  feedback?: string;
}

export class CompletedSession {
  @Integer()
  id: number;

  @Choice(sessionStatuses)
  status: SessionStatus;

  @Integer({ nullable: true })
  rating: number | null;

  @Instant()
  completed_at: string;
}

// --- bookings, Mansa view

export class CreateBooking {
  @Integer({ min: 1, example: 1 })
  mentor_id: number;

  @CalendarDate()
  session_date: string;

  @ClockTime()
  start_time: string;

  @ClockTime({ example: '10:30' })
  end_time: string;

  @Text({ max: 200 })
  topic: string;

  @Text({ min: 0, max: 4000, optional: true })
  description?: string;

  @TimeZone({ optional: true, description: "Zone of the times; default: the mentor's." })
  timezone?: string;
}

export class ListBookings extends PageQuery {
  @Choice(parties, { optional: true, description: 'Default: both sides.' })
  role?: Party;

  @Choice(bookingStatuses, { optional: true })
  status?: BookingStatus;

  @Flag({ optional: true, description: 'Only those that have not ended.' })
  upcoming?: boolean;
}

/** A booking as the Mansa surface shows it. */
export class BookingView {
  @Integer()
  id: number;

  @Integer()
  mentor_id: number;

  @Integer({ description: 'User id of the mentor.' })
  mentor_user_id: number;

  @Text({ max: 120 })
  mentor_name: string;

  @Integer({ description: 'User id of the mentee.' })
  mentee_id: number;

  @Text({ max: 120 })
  mentee_name: string;

  @Instant({ description: 'Start.' })
  session_date: string;

  @Instant({ description: 'End.' })
  ends_at: string;

  @Integer()
  duration_minutes: number;

  @Text({ max: 200 })
  topic: string;

  @Text({ max: 4000, nullable: true })
  description: string | null;

  @Choice(bookingStatuses)
  status: BookingStatus;

  @Choice(paymentStatuses)
  payment_status: PaymentStatus;

  @Money()
  price: number;

  @Text({ max: 3, example: 'RUB' })
  currency: string;

  @WebAddress({ nullable: true, insecure: true })
  payment_url: string | null;

  @WebAddress({ nullable: true })
  meeting_url: string | null;

  @Text({ max: 40, nullable: true })
  meeting_platform: string | null;

  @Integer({ min: 1, max: 5, nullable: true })
  rating: number | null;

  @Text({ max: 4000, nullable: true })
  feedback: string | null;

  @Text({ max: 500, nullable: true })
  cancellation_reason: string | null;

  @Integer()
  booking_version: number;

  @Instant()
  created_at: string;
}

export class BookingPage {
  @Items(() => BookingView)
  items: BookingView[];

  @Integer()
  total: number;

  @Integer()
  page: number;

  @Integer()
  pages: number;
}

const requestedStatuses = ['confirmed', 'cancelled', 'completed', 'no_show'] as const;
export type RequestedStatus = (typeof requestedStatuses)[number];

export class UpdateBookingStatus {
  @Choice([...requestedStatuses, 'cancelled_by_mentor', 'cancelled_by_mentee'], {
    description: '`cancelled` becomes the cancellation of the side that asks.',
    example: 'confirmed',
  })
  status: RequestedStatus | 'cancelled_by_mentor' | 'cancelled_by_mentee';

  @Text({ max: 500, optional: true })
  reason?: string;

  @Integer({ min: 1, optional: true, description: 'A stale one is refused with 409.' })
  booking_version?: number;
}

export class AddMeetingLink {
  @WebAddress({ example: 'https://zoom.us/j/1234567890' })
  meeting_link: string;

  @Text({ max: 40, optional: true, example: 'zoom' })
  meeting_platform?: string;
}

import type { ById } from '../core/page.dto.js';
import { idField, optionalField, textField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type {
  AvailabilityView,
  FindSlots,
  MentorAvailability,
  ReplaceAvailability,
  SlotList,
} from './availability.dto.js';
import type {
  AddMeetingLink,
  BookingPage,
  BookingView,
  CreateBooking,
  ListBookings,
  UpdateBookingStatus,
} from './bookings.dto.js';
import type {
  ApplicationPage,
  ApplyAsMentor,
  ListApplications,
  ListMentorProfiles,
  ListMentors,
  MentorApplication,
  MentorDetails,
  MentorPage,
  MentorProfile,
  MentorProfilePage,
  RejectMentor,
} from './mentors.dto.js';
import type {
  BookSession,
  CancelSession,
  CompletedSession,
  CompleteSession,
  ConfirmSession,
  ListSessions,
  SessionPage,
  SessionView,
} from './sessions.dto.js';

/** What is due for a booking, for payments. */
export interface BookingAmountDue {
  booking_id: number;
  checkout_id: string;
  mentor_user_id: number;
  mentee_user_id: number;
  topic: string;
  amount_minor: number;
  currency: string;
  /** Whether it can be paid now, and until when, RFC 3339. */
  due: boolean;
  expires_at: string;
}

export const Mentors = {
  list: request.public<ListMentors, MentorPage>('mentorship.mentors.list'),
  get: request.public<ById, MentorDetails>('mentorship.mentors.get'),
  slots: request.public<FindSlots & ById, SlotList>('mentorship.mentors.slots'),
  apply: request.user<ApplyAsMentor, MentorApplication>('mentorship.mentors.apply'),
  applications: request.admin<ListApplications, ApplicationPage>('mentorship.mentors.applications'),
  approve: request.admin<ById, MentorApplication>('mentorship.mentors.approve'),
  reject: request.admin<RejectMentor & ById, MentorApplication>('mentorship.mentors.reject'),
};

/** Mentors as the Mansa surface shows them. */
export const MentorProfiles = {
  list: request.public<ListMentorProfiles, MentorProfilePage>('mentorship.mentor_profiles.list'),
  get: request.public<ById, MentorProfile>('mentorship.mentor_profiles.get'),
  mine: request.user<Record<string, never>, MentorProfile>('mentorship.mentor_profiles.mine'),
  availability: request.public<ById, MentorAvailability>('mentorship.mentor_profiles.availability'),
};

export const Availability = {
  mine: request.user<Record<string, never>, AvailabilityView>('mentorship.availability.mine'),
  replace: request.user<ReplaceAvailability, AvailabilityView>('mentorship.availability.replace'),
};

/** Bookings as `/sessions` shows them. */
export const SessionBookings = {
  book: request.user<BookSession, SessionView>('mentorship.session_bookings.book'),
  list: request.user<ListSessions, SessionPage>('mentorship.session_bookings.list'),
  get: request.user<ById, SessionView>('mentorship.session_bookings.get'),
  confirm: request.user<ConfirmSession & ById, SessionView>('mentorship.session_bookings.confirm'),
  cancel: request.user<CancelSession & ById, SessionView>('mentorship.session_bookings.cancel'),
  complete: request.user<CompleteSession & ById, CompletedSession>(
    'mentorship.session_bookings.complete',
  ),
};

/** Bookings as the Mansa surface shows them. */
export const Bookings = {
  create: request.user<CreateBooking, BookingView>('mentorship.bookings.create'),
  list: request.user<ListBookings, BookingPage>('mentorship.bookings.list'),
  updateStatus: request.user<UpdateBookingStatus & ById, BookingView>(
    'mentorship.bookings.update_status',
  ),
  addMeetingLink: request.user<AddMeetingLink & ById, BookingView>(
    'mentorship.bookings.add_meeting_link',
  ),
  /** By booking or by checkout; NOT_FOUND for an unknown one. */
  amountDue: request.service<{ booking_id: number } | { checkout_id: string }, BookingAmountDue>(
    'mentorship.bookings.amount_due',
    { fields: { booking_id: optionalField(idField), checkout_id: optionalField(textField(100)) } },
  ),
};

import {
  type BookingCancelled,
  bookingCancelled,
  bookingCompleted,
  bookingConfirmed,
  bookingExpired,
  type BookingFact,
  bookingMeetingLinkAdded,
  bookingNoShow,
  type BookingNoShow,
  bookingPaid,
  bookingRequested,
  type EventEnvelope,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Notify } from '../notifications/notify.service.js';

const session = ({ topic, starts_at }: BookingFact) => ({ topic, starts_at });
const ids = ({ booking_id }: BookingFact) => ({ session_id: booking_id });

/** What mentors and mentees are notified of in their sessions. */
@Controller()
export class SessionRules {
  constructor(private readonly notify: Notify) {}

  /** A mentor is notified of a session once there is something to decide: at once when it is free, else when it is paid. */
  @OnEvent(bookingRequested)
  async askMentorForFreeSession(
    { data }: EventEnvelope<BookingFact & { amount_due: object | null }>,
    tx: EntityManager,
  ): Promise<void> {
    if (data.amount_due === null) await this.askMentor(tx, data);
  }

  @OnEvent(bookingPaid)
  async askMentorOncePaid({ data }: EventEnvelope<BookingFact>, tx: EntityManager): Promise<void> {
    await this.askMentor(tx, data);
  }

  @OnEvent(bookingConfirmed)
  async notifyMenteeOfConfirmation(
    { data }: EventEnvelope<BookingFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.mentee_user_id,
      type: 'session_confirmed',
      params: { ...session(data), mentor_name: data.mentor_name },
      data: ids(data),
      namedUserId: data.mentor_user_id,
    });
  }

  @OnEvent(bookingMeetingLinkAdded)
  async notifyMenteeOfMeetingLink(
    { data }: EventEnvelope<BookingFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.mentee_user_id,
      type: 'meeting_link_added',
      params: { ...session(data), mentor_name: data.mentor_name },
      data: ids(data),
      namedUserId: data.mentor_user_id,
    });
  }

  /** The other party is notified; but not the mentor of a session that was never paid, who was not notified of the request. */
  @OnEvent(bookingCancelled)
  async notifyOtherPartyOfCancellation(
    { data }: EventEnvelope<BookingCancelled>,
    tx: EntityManager,
  ): Promise<void> {
    const byMentor = data.cancelled_by === 'mentor';
    if (!byMentor && data.payment_status === 'unpaid') return;
    await this.notify.send(tx, {
      userId: byMentor ? data.mentee_user_id : data.mentor_user_id,
      type: 'session_cancelled',
      params: {
        ...session(data),
        other_name: byMentor ? data.mentor_name : data.mentee_name,
        cancelled_by: data.cancelled_by,
        reason: data.reason,
        refund_minor: byMentor ? data.refund_minor : 0,
        currency: data.currency,
      },
      data: ids(data),
      namedUserId: byMentor ? data.mentor_user_id : data.mentee_user_id,
    });
  }

  @OnEvent(bookingExpired)
  async notifyMenteeOfExpiry(
    { data }: EventEnvelope<BookingFact & { refund_minor: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.mentee_user_id,
      type: 'session_expired',
      params: {
        ...session(data),
        mentor_name: data.mentor_name,
        unpaid: data.payment_status === 'unpaid',
        refund_minor: data.refund_minor,
        currency: data.currency,
      },
      data: ids(data),
      namedUserId: data.mentor_user_id,
    });
  }

  @OnEvent(bookingCompleted)
  async notifyBothOfCompletion(
    { data }: EventEnvelope<BookingFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.mentee_user_id,
      type: 'session_completed',
      params: { ...session(data), other_name: data.mentor_name, role: 'mentee' },
      data: ids(data),
      namedUserId: data.mentor_user_id,
    });
    await this.notify.send(tx, {
      userId: data.mentor_user_id,
      type: 'session_completed',
      params: { ...session(data), other_name: data.mentee_name, role: 'mentor' },
      data: ids(data),
      namedUserId: data.mentee_user_id,
    });
  }

  @OnEvent(bookingNoShow)
  async notifyBothOfNoShow(
    { data }: EventEnvelope<BookingNoShow>,
    tx: EntityManager,
  ): Promise<void> {
    const missed = {
      ...session(data),
      absent_party: data.absent_party ?? ('mentee' as const),
      refund_minor: data.refund_minor ?? 0,
      price_minor: data.price_minor,
      currency: data.currency,
    };
    await this.notify.send(tx, {
      userId: data.mentee_user_id,
      type: 'session_missed',
      params: { ...missed, other_name: data.mentor_name, role: 'mentee' },
      data: ids(data),
      namedUserId: data.mentor_user_id,
    });
    await this.notify.send(tx, {
      userId: data.mentor_user_id,
      type: 'session_missed',
      params: { ...missed, other_name: data.mentee_name, role: 'mentor' },
      data: ids(data),
      namedUserId: data.mentee_user_id,
    });
  }

  private askMentor(tx: EntityManager, data: BookingFact): Promise<void> {
    return this.notify.send(tx, {
      userId: data.mentor_user_id,
      type: 'session_requested',
      params: { ...session(data), mentee_name: data.mentee_name },
      data: ids(data),
      namedUserId: data.mentee_user_id,
    });
  }
}

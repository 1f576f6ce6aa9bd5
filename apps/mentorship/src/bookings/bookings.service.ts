import {
  type AddMeetingLink,
  type Caller,
  ApplicationError,
  type CompletedSession,
  type CompleteSession,
  type Page,
  type PageQuery,
  paging,
  type Party,
  type BookingAmountDue,
  toPage,
  type UpdateBookingStatus,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { MentorshipConfig } from '../config.js';
import { rfc3339 } from '../instants.js';
import { ReviewsService } from '../reviews/reviews.service.js';
import { BookingChanges } from './booking-changes.js';
import { type BookingRecord, partyOf, amountDueOf } from './booking.record.js';
import { can } from './booking.state-machine.js';
import { type Present, sessionStatusOf } from './booking-views.js';
import { type BookingSearch, BookingsRepository } from './bookings.repository.js';

/** What the parties of a booking may do with it. For anyone else it is `NOT_FOUND`. */
@Injectable()
export class BookingsService {
  constructor(
    private readonly transactions: Transactions,
    private readonly bookings: BookingsRepository,
    private readonly changes: BookingChanges,
    private readonly reviews: ReviewsService,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: MentorshipConfig,
  ) {}

  /** @throws ApplicationError `NOT_FOUND` */
  async get<View>(actor: Caller, id: number, present: Present<View>): Promise<View> {
    const booking = await this.bookings.find(id);
    return this.show(this.own(actor, booking).booking, actor, present);
  }

  /** One page of the actor's bookings. */
  async list<View>(
    actor: Caller,
    query: PageQuery,
    filter: Omit<BookingSearch, 'userId' | 'limit' | 'offset'>,
    present: Present<View>,
  ): Promise<Page<View>> {
    const { limit, offset } = paging(query);
    const { bookings, total } = await this.bookings.search({
      ...filter,
      userId: actor.user_id,
      limit,
      offset,
    });
    return toPage(
      bookings.map((booking) => this.show(booking, actor, present)),
      total,
      query,
    );
  }

  /** By the mentor, before the start, once it is paid or free. */
  confirm<View>(
    actor: Caller,
    { id, version }: { id: number; version?: number },
    present: Present<View>,
  ): Promise<View> {
    return this.change(actor, { id, version }, async (tx, booking, party) => {
      await this.confirmAs(party, tx, booking);
      return this.show(booking, actor, present);
    });
  }

  /** By either party, before the end; the refund follows from who cancels and when. */
  cancel<View>(
    actor: Caller,
    { id, version, reason }: { id: number; version?: number; reason?: string },
    present: Present<View>,
  ): Promise<View> {
    return this.change(actor, { id, version }, async (tx, booking, party) => {
      await this.cancelAs(party, tx, booking, reason);
      return this.show(booking, actor, present);
    });
  }

  /**
   * By either party, from the start on. The mentee may rate and review, once, also after the other side or the clock
   * has completed the session.
   */
  complete(actor: Caller, request: CompleteSession & { id: number }): Promise<CompletedSession> {
    return this.change(actor, { id: request.id }, async (tx, booking, party) => {
      await this.completeAs(party, tx, booking, request);
      return {
        id: booking.id,
        status: sessionStatusOf[booking.status],
        rating: booking.rating,
        completed_at: rfc3339(booking.completedAt ?? this.clock.now()),
      };
    });
  }

  /** The Mansa surface's one way to change a status. */
  updateStatus<View>(
    actor: Caller,
    { id, status, reason, booking_version: version }: UpdateBookingStatus & { id: number },
    present: Present<View>,
  ): Promise<View> {
    return this.change(actor, { id, version }, async (tx, booking, party) => {
      switch (status) {
        case 'confirmed':
          await this.confirmAs(party, tx, booking);
          break;
        case 'completed':
          await this.completeAs(party, tx, booking, {});
          break;
        case 'no_show':
          await this.markNoShowAs(party, tx, booking);
          break;
        case 'cancelled_by_mentor':
        case 'cancelled_by_mentee':
          if (status !== `cancelled_by_${party}`) {
            throw forbidden(`You are the ${party} of this booking: send cancelled_by_${party}.`);
          }
          await this.cancelAs(party, tx, booking, reason);
          break;
        case 'cancelled':
          await this.cancelAs(party, tx, booking, reason);
          break;
      }
      return this.show(booking, actor, present);
    });
  }

  /** By the mentor, on a confirmed booking; may be changed as often as needed. */
  addMeetingLink<View>(
    actor: Caller,
    { id, meeting_link, meeting_platform }: AddMeetingLink & { id: number },
    present: Present<View>,
  ): Promise<View> {
    if (URL.parse(meeting_link)?.protocol !== 'https:') {
      throw ApplicationError.invalid('meeting_link', 'meeting_link must begin with https://.');
    }
    return this.change(actor, { id }, async (tx, booking, party) => {
      if (party !== 'mentor') throw forbidden('Only the mentor can add the meeting link.');
      if (booking.status !== 'confirmed') {
        throw new ApplicationError(
          'WRONG_STATE',
          `A ${booking.status} booking has no meeting: confirm a pending one first.`,
        );
      }
      await this.changes.addMeetingLink(tx, booking, {
        meetingUrl: meeting_link,
        meetingPlatform: meeting_platform ?? null,
      });
      return this.show(booking, actor, present);
    });
  }

  /** What is due, for payments. @throws ApplicationError `NOT_FOUND`, also for a session that is free */
  async amountDue(by: { booking_id: number } | { checkout_id: string }): Promise<BookingAmountDue> {
    const booking = await this.bookings.stored(by);
    const amountDue = booking && amountDueOf(booking, this.clock.now());
    if (!amountDue) throw ApplicationError.notFound('Anything to pay for this session');
    return amountDue;
  }

  /** A booking as its view shows it to the actor. */
  show<View>(booking: BookingRecord, { user_id }: Caller, present: Present<View>): View {
    return present(booking, {
      viewerId: user_id,
      now: this.clock.now(),
      publicUrl: this.config.PUBLIC_URL,
      locale: requestContext.current()?.locale,
    });
  }

  private async confirmAs(party: Party, tx: EntityManager, booking: BookingRecord): Promise<void> {
    if (party !== 'mentor') throw forbidden('Only the mentor can confirm a booking.');
    // That the status is wrong is the better answer than what else is missing.
    if (can(booking.status, 'confirm')) this.checkConfirmable(booking);
    await this.changes.confirm(tx, booking);
  }

  /** Before the end; from then on a session is completed or was missed. */
  private async cancelAs(
    party: Party,
    tx: EntityManager,
    booking: BookingRecord,
    reason: string | undefined,
  ): Promise<void> {
    const action = party === 'mentor' ? 'cancelByMentor' : 'cancelByMentee';
    if (can(booking.status, action) && booking.endsAt <= this.clock.now()) {
      throw new ApplicationError(
        'WRONG_STATE',
        'The session has ended: it can no longer be cancelled. Complete it, or report that it was missed.',
      );
    }
    await this.changes.cancel(tx, booking, party, reason ?? null);
  }

  /** The party that is present reports that the other one is absent. */
  private async markNoShowAs(
    party: Party,
    tx: EntityManager,
    booking: BookingRecord,
  ): Promise<void> {
    if (can(booking.status, 'markNoShow')) this.checkStarted(booking);
    await this.changes.markNoShow(tx, booking, party === 'mentor' ? 'mentee' : 'mentor');
  }

  private async completeAs(
    party: Party,
    tx: EntityManager,
    booking: BookingRecord,
    { rating, review, feedback }: CompleteSession,
  ): Promise<void> {
    if (party === 'mentor' && (rating !== undefined || review !== undefined)) {
      throw forbidden('Only the mentee can rate and review a session; send feedback instead.');
    }
    if (rating === undefined && review !== undefined) {
      throw ApplicationError.invalid('rating', 'rating is required with a review.');
    }
    const given = {
      ...(rating === undefined ? {} : { rating }),
      ...(feedback === undefined
        ? {}
        : { [party === 'mentor' ? 'mentorFeedback' : 'menteeFeedback']: feedback }),
    };
    const ratesLater = booking.status === 'completed' && rating !== undefined;
    if (ratesLater) {
      if (booking.rating !== null) {
        throw new ApplicationError('WRONG_STATE', 'You have rated this session already.');
      }
      await this.bookings.update(tx, booking, given);
    } else {
      if (can(booking.status, 'complete')) this.checkStarted(booking);
      await this.changes.complete(tx, [booking], given);
    }
    if (rating === undefined) return;
    await this.reviews.publish(tx, {
      bookingId: booking.id,
      mentorId: booking.mentorId,
      mentorUserId: booking.mentorUserId,
      authorUserId: booking.menteeUserId,
      authorName: booking.menteeName,
      rating,
      comment: review ?? null,
      createdAt: this.clock.now(),
    });
  }

  /** Runs a change of a locked booking by one of its parties. */
  private async change<Result>(
    actor: Caller,
    { id, version }: { id: number; version?: number },
    work: (tx: EntityManager, booking: BookingRecord, party: Party) => Promise<Result>,
  ): Promise<Result> {
    await this.bookings.resolvePeopleOf(id);
    return this.transactions.run(async (tx) => {
      const { booking, party } = this.own(actor, await this.bookings.lock(tx, id));
      if (version !== undefined && version !== booking.version) {
        throw new ApplicationError(
          'STALE_VERSION',
          `The booking has changed since you read it: it is at version ${booking.version}, not ${version}. Read it again.`,
        );
      }
      return work(tx, booking, party);
    });
  }

  private own(
    actor: Caller,
    booking: BookingRecord | undefined,
  ): { booking: BookingRecord; party: Party } {
    const party = booking && partyOf(booking, actor);
    if (!party) throw ApplicationError.notFound('The booking');
    return { booking, party };
  }

  private checkConfirmable(booking: BookingRecord): void {
    if (booking.paymentStatus !== 'paid' && booking.paymentStatus !== 'not_required') {
      throw new ApplicationError(
        'WRONG_STATE',
        booking.paymentStatus === 'unpaid'
          ? 'The booking is not paid yet: it can be confirmed as soon as the mentee has paid.'
          : 'The payment of this booking was refunded: it can only be cancelled.',
      );
    }
    if (booking.startsAt <= this.clock.now()) {
      throw new ApplicationError(
        'WRONG_STATE',
        'The session should have begun already: it can no longer be confirmed.',
      );
    }
  }

  private checkStarted(booking: BookingRecord): void {
    if (booking.startsAt > this.clock.now()) {
      throw new ApplicationError(
        'WRONG_STATE',
        `The session has not begun: wait until ${rfc3339(booking.startsAt)}.`,
      );
    }
  }
}

function forbidden(detail: string): ApplicationError {
  return new ApplicationError('FORBIDDEN', detail);
}

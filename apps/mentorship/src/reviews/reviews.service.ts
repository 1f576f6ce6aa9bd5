import { reviewCreated } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Review } from './review.entity.js';

export interface NewReview {
  bookingId: number;
  mentorId: number;
  mentorUserId: number;
  authorUserId: number;
  authorName: string;
  /** 1 to 5. */
  rating: number;
  comment: string | null;
  createdAt: Date;
}

/** What mentees say about sessions, and the ratings that follow from it. */
@Injectable()
export class ReviewsService {
  constructor(private readonly outbox: Outbox) {}

  /**
   * Publishes a review and counts it. The booking must be locked; that it has one review at most is ensured by the
   * constraint `reviews_booking`.
   */
  async publish(tx: EntityManager, review: NewReview): Promise<void> {
    const { mentorUserId, authorName, ...columns } = review;
    const { identifiers } = await tx.insert(Review, columns);
    const reviewId = (identifiers[0] as { id: number }).id;
    await tx.query(
      'UPDATE mentor_stats SET rating_sum = rating_sum + $2, rating_count = rating_count + 1 WHERE mentor_id = $1',
      [review.mentorId, review.rating],
    );
    await this.outbox.add(tx, reviewCreated, reviewId, {
      review_id: reviewId,
      booking_id: review.bookingId,
      mentor_id: review.mentorId,
      mentor_user_id: mentorUserId,
      author_user_id: review.authorUserId,
      author_name: authorName,
      rating: review.rating,
    });
  }
}

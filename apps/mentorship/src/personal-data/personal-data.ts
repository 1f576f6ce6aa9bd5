import { type PersonalDataSource, rowsByKey } from '@mentorhub/persistence';

const booking = `id, starts_at, ends_at, status, payment_status, price_minor, currency, topic, notes, meeting_url,
  meeting_platform, rating, mentee_feedback, mentor_feedback, cancellation_reason, absent_party, completed_at, created_at`;

const mentorOfUser = '(SELECT id FROM mentors WHERE user_id = $1)';

/** What mentorship holds of a user. Bookings and reviews say of the other side the id alone. */
export const personalDataSources: readonly PersonalDataSource[] = [
  rowsByKey('people', 'SELECT * FROM people WHERE user_id = $1', 'user_id'),
  rowsByKey('mentors', 'SELECT * FROM mentors WHERE user_id = $1'),
  rowsByKey(
    'mentor_stats',
    `SELECT * FROM mentor_stats WHERE mentor_id = ${mentorOfUser}`,
    'mentor_id',
  ),
  rowsByKey(
    'availability_rules',
    `SELECT * FROM availability_rules WHERE mentor_id = ${mentorOfUser}`,
  ),
  rowsByKey(
    'bookings_as_mentee',
    `SELECT ${booking}, mentor_id FROM bookings WHERE mentee_user_id = $1`,
  ),
  rowsByKey(
    'bookings_as_mentor',
    `SELECT ${booking}, mentee_user_id FROM bookings WHERE mentor_id = ${mentorOfUser}`,
  ),
  rowsByKey(
    'reviews_written',
    `SELECT reviews.id, booking_id, reviews.mentor_id, reviews.rating, comment, reviews.created_at
     FROM bookings JOIN reviews ON booking_id = bookings.id
     WHERE mentee_user_id = $1 AND author_user_id = $1`,
  ),
  rowsByKey(
    'reviews_received',
    `SELECT id, booking_id, rating, comment, created_at FROM reviews WHERE mentor_id = ${mentorOfUser}`,
  ),
  rowsByKey(
    'idempotency_keys',
    `SELECT operation || ' ' || key AS attempt, response, created_at FROM idempotency_keys WHERE user_id = $1`,
    'attempt',
    'text',
  ),
];

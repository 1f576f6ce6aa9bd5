/**
 * A payment of a demo session: mentorship's `demo-data.js` prints them and that of payments reads them, so that both
 * databases show the same, whichever of them is new.
 */
export interface DemoPayment {
  payment_id: string;
  booking_id: number;
  checkout_id: string;
  mentee_user_id: number;
  mentor_user_id: number;
  amount_minor: number;
  refunded_minor: number;
  currency: string;
  topic: string;
  /** RFC 3339. */
  paid_at: string;
  /** RFC 3339. */
  refunded_at: string | null;
}

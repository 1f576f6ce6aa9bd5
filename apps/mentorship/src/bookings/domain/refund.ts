const day = 24 * 60 * 60_000;

type Party = 'mentor' | 'mentee';

interface Cancellation {
  readonly by: Party;
  /** Whether the mentor had confirmed the booking. */
  readonly confirmed: boolean;
  readonly startsAt: Date;
  readonly now: Date;
  /** What was paid and is not refunded, minor units. */
  readonly paidMinor: number;
}

/**
 * What a mentee gets back for a cancelled booking, in minor units: all of it when the mentor cancels, had not confirmed
 * yet, or the start is at least 24 hours away; half of it until the start (an odd unit goes to the mentee); nothing
 * after it.
 */
export function refundOnCancellation(cancellation: Cancellation): number {
  const { by, confirmed, startsAt, now, paidMinor } = cancellation;
  const ahead = startsAt.getTime() - now.getTime();
  if (by === 'mentor' || !confirmed || ahead >= day) return paidMinor;
  return ahead > 0 ? Math.ceil(paidMinor / 2) : 0;
}

/** What a mentee gets back for a missed session: all of it when the mentor was absent, nothing after an own absence. */
export function refundOnNoShow(absent: Party, paidMinor: number): number {
  return absent === 'mentor' ? paidMinor : 0;
}

/** The price of a session by the price of an hour, both in minor units, rounded to the nearest unit. */
export function priceOf(pricePerHourMinor: number, durationMinutes: number): number {
  return Math.round((pricePerHourMinor * durationMinutes) / 60);
}

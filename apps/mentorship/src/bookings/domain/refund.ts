const day = 24 * 60 * 60_000;

interface Cancellation {
  readonly by: 'mentor' | 'mentee';
  readonly startsAt: Date;
  readonly now: Date;
  /** What was paid and not yet given back, minor units. */
  readonly paidMinor: number;
}

/**
 * What a mentee gets back, in minor units: all of it when the mentor cancels or the start is at least 24 hours away,
 * half of it until the start (an odd unit goes to the mentee), nothing after it.
 */
export function refundOnCancellation({ by, startsAt, now, paidMinor }: Cancellation): number {
  const ahead = startsAt.getTime() - now.getTime();
  if (by === 'mentor' || ahead >= day) return paidMinor;
  return ahead > 0 ? Math.ceil(paidMinor / 2) : 0;
}

/** The price of a session by the price of an hour, both in minor units, rounded to the nearest unit. */
export function priceOf(pricePerHourMinor: number, durationMinutes: number): number {
  return Math.round((pricePerHourMinor * durationMinutes) / 60);
}

/** What mentors are paid in, ISO 4217: nothing lets them choose. */
export const mentorCurrency = 'RUB';

/**
 * Highest price of an hour in major units. Mentorship's database sees to it that no session on offer costs more than
 * `maxAmount`: for this price, sessions have at most two hours.
 */
export const maxPricePerHour = 10_000_000;

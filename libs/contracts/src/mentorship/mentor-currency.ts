/** What mentors are paid in, ISO 4217: nothing lets them choose. */
export const mentorCurrency = 'RUB';

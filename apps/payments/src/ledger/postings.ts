/** One side of a ledger transaction. */
export interface Posting {
  account: string;
  /** Minor units; the postings of a transaction sum to zero. */
  amountMinor: number;
}

/** What the provider holds for us: positive when it owes us money. */
export const providerAccount = (provider: string): string => `provider:${provider}`;

/** What we owe a mentor: negative when there is something to pay out. */
export const mentorAccount = (userId: number): string => `mentor:${userId}`;

interface Move {
  provider: string;
  mentorUserId: number;
  amountMinor: number;
}

/** Money came in: the provider holds it, and we owe it to the mentor. */
export function capturePostings({ provider, mentorUserId, amountMinor }: Move): Posting[] {
  return [
    { account: providerAccount(provider), amountMinor },
    { account: mentorAccount(mentorUserId), amountMinor: -amountMinor },
  ];
}

/** Money went back: the capture in reverse, for as much as went back. */
export function refundPostings({ amountMinor, ...move }: Move): Posting[] {
  return capturePostings({ ...move, amountMinor }).map((posting) => ({
    ...posting,
    amountMinor: -posting.amountMinor,
  }));
}

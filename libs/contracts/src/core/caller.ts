/** What a user may do, as written in the access token. Mentor rights are decided by mentorship, from its own data. */
export type Role = 'student' | 'mentor' | 'admin';

/** The languages the product speaks. */
export const locales = ['en', 'ru'] as const;
export type Locale = (typeof locales)[number];

/** Who a request is made for. Written by the gateways from a verified access token; services trust it. */
export interface Caller {
  readonly user_id: number;
  readonly roles: readonly Role[];
  /** The signed-in device (`/auth/sessions`), so that it alone can be signed out. */
  readonly session_id: number;
  /** Has the higher limits of the gateways, which alone know it. */
  readonly is_premium?: true;
}

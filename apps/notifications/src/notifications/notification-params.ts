interface SessionParams {
  topic: string;
  /** RFC 3339. */
  starts_at: string;
}

interface MoneyParams {
  description: string;
  amount_minor: number;
  currency: string;
}

interface DeviceParams {
  /** `Firefox 140`; null when it is not known. */
  browser: string | null;
  os: string | null;
  network: string;
  /** RFC 3339. */
  happened_at: string;
}

interface FactorRemovedParams {
  /** Whether sign-ins still need a second step. */
  second_step: boolean;
}

/** What the texts of each type are made of; stored, so that a mail can be rendered when it is sent. */
export interface NotificationParams {
  welcome: { name: string };
  email_verified: Record<string, never>;
  new_sign_in: DeviceParams;
  refresh_token_reused: DeviceParams;
  provider_linked: { provider_name: string };
  provider_unlinked: { provider_name: string };
  totp_enabled: Record<string, never>;
  totp_disabled: FactorRemovedParams;
  passkey_added: Record<string, never>;
  passkey_removed: FactorRemovedParams;
  recovery_code_used: { left: number };
  recovery_codes_replaced: Record<string, never>;
  sign_in_codes_guessed: Record<string, never>;
  email_changed: Record<string, never>;
  password_changed: Record<string, never>;
  session_requested: SessionParams & { mentee_name: string };
  session_confirmed: SessionParams & { mentor_name: string };
  session_cancelled: SessionParams & {
    /** The one who cancelled. */
    other_name: string;
    cancelled_by: 'mentor' | 'mentee';
    reason: string | null;
    /** What the recipient gets back; 0 for a mentor. */
    refund_minor: number;
    currency: string;
  };
  session_expired: SessionParams & {
    mentor_name: string;
    /** Not paid in time; else not confirmed in time. */
    unpaid: boolean;
    refund_minor: number;
    currency: string;
  };
  session_completed: SessionParams & {
    other_name: string;
    /** What the recipient was in the session. */
    role: 'mentor' | 'mentee';
  };
  session_missed: SessionParams & {
    other_name: string;
    /** What the recipient was in the session. */
    role: 'mentor' | 'mentee';
    absent_party: 'mentor' | 'mentee';
    price_minor: number;
    /** What the mentee gets back. */
    refund_minor: number;
    currency: string;
  };
  meeting_link_added: SessionParams & { mentor_name: string };
  new_message: { sender_name: string };
  review_received: { author_name: string; rating: number };
  mentor_approved: Record<string, never>;
  mentor_rejected: { reason: string };
  payment_received: MoneyParams;
  payment_failed: MoneyParams;
  payment_refunded: MoneyParams & { refunded_minor: number };
}

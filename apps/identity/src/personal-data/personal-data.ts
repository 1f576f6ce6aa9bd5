import { type PersonalDataSource, rowsByKey } from '@mentorhub/persistence';

/** What identity holds of a user, without what is a secret: hashes of passwords and tokens. */
export const personalDataSources: readonly PersonalDataSource[] = [
  rowsByKey(
    'profile',
    `SELECT id, email, username, full_name, requested_role, is_mentor, is_admin, is_premium, is_active, bio, phone, avatar_url,
       timezone, locale, email_verified_at, verify_by, created_at
     FROM users WHERE id = $1`,
  ),
  rowsByKey(
    'sessions',
    `SELECT id, user_agent, ip, method, created_at, last_used_at, authenticated_at, expires_at, revoked_at
     FROM sessions WHERE user_id = $1`,
  ),
  rowsByKey(
    'known_devices',
    `SELECT encode(device_hash, 'hex') AS device, last_seen_at FROM known_devices WHERE user_id = $1`,
    'device',
    'text',
  ),
  rowsByKey(
    'linked_identities',
    'SELECT issuer, subject, linked_at FROM linked_identities WHERE user_id = $1',
    'issuer',
    'text',
  ),
  rowsByKey(
    'provider_visits',
    `SELECT to_char(expires_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') AS visit, provider, expires_at
     FROM provider_visits WHERE user_id = $1`,
    'visit',
    'text',
  ),
  rowsByKey(
    'mail_tokens',
    'SELECT purpose, email, expires_at FROM mail_tokens WHERE user_id = $1',
    'purpose',
    'text',
  ),
  rowsByKey(
    'avatar_files',
    'SELECT key, storage, created_at FROM avatar_files WHERE user_id = $1',
    'key',
    'text',
  ),
  rowsByKey(
    'user_counters',
    'SELECT kind, count, window_ends_at FROM user_counters WHERE user_id = $1',
    'kind',
    'text',
  ),
  rowsByKey(
    'email_changes',
    'SELECT id, new_email, requested_at FROM email_changes WHERE user_id = $1',
  ),
  rowsByKey(
    'former_emails',
    'SELECT id, email, changed_at, reserved_until FROM former_emails WHERE user_id = $1',
  ),
  rowsByKey(
    'totp_factors',
    'SELECT user_id, created_at, confirmed_at FROM totp_factors WHERE user_id = $1',
    'user_id',
  ),
  rowsByKey(
    'totp_guesses',
    'SELECT place, failures, retry_at, last_failed_at FROM totp_guesses WHERE user_id = $1',
    'place',
    'text',
  ),
  rowsByKey(
    'recovery_codes',
    'SELECT user_id, count(*) AS unused FROM recovery_codes WHERE user_id = $1 GROUP BY user_id',
    'user_id',
  ),
  rowsByKey(
    'passkeys',
    'SELECT id, name, transports, backed_up, created_at, last_used_at FROM passkeys WHERE user_id = $1',
  ),
  rowsByKey(
    'sign_in_challenges',
    `SELECT to_char(expires_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') AS challenge, method, expires_at
     FROM sign_in_challenges WHERE user_id = $1`,
    'challenge',
    'text',
  ),
  rowsByKey(
    'mailed_codes',
    `SELECT mailed_codes.id, purpose, mailed_codes.locale, tries, expires_at
     FROM users JOIN mailed_codes USING (email) WHERE users.id = $1 AND email_verified_at IS NOT NULL`,
  ),
  rowsByKey(
    'members',
    `SELECT members.email, first_name, last_name, membershiptype, updated_at, joined_at
     FROM users JOIN members USING (email) WHERE users.id = $1 AND email_verified_at IS NOT NULL`,
    'email',
    'text',
  ),
  rowsByKey(
    'member_imports',
    'SELECT id, started_at, created, updated FROM member_imports WHERE actor_id = $1',
    'id',
    'text',
  ),
  // Where others were who did something to the account is theirs.
  rowsByKey(
    'audit_log',
    `SELECT id, occurred_at, action, outcome, session_id, actor_id = $1 AS by_you, detail,
       CASE WHEN actor_id = $1 THEN ip END AS ip, CASE WHEN actor_id = $1 THEN user_agent END AS user_agent
     FROM audit_log WHERE actor_id = $1
     UNION ALL
     SELECT id, occurred_at, action, outcome, NULL, false, '{}'::jsonb, NULL, NULL
     FROM audit_log WHERE user_id = $1 AND actor_id IS DISTINCT FROM $1`,
  ),
];

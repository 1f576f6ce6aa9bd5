/** Acts that the audit trail records, by the feature that they belong to. */
export const auditActions = [
  'user.register',
  'email.verify',
  'password.check',
  'reauthentication.password',
  'session.open',
  'session.refresh_reuse',
  'session.end',
  'session.end_all',
] as const;
export type AuditAction = (typeof auditActions)[number];

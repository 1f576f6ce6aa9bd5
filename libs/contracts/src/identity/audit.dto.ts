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
  'session.end_others',
  'session.end_oldest',
  'keys.rotate',
  'provider.sign_in',
  'provider.register',
  'provider.link',
  'provider.unlink',
  'members.import_begin',
  'members.import',
] as const;
export type AuditAction = (typeof auditActions)[number];

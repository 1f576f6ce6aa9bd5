import { idField, listField, textField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { AuditPage, ListAuditEntries } from './audit-entries.dto.js';
import type { Device } from './identity.dto.js';

/** Requests that a gateway refused one user within a minute, as the user may not send them. */
export interface AccessDenials {
  user_id: number;
  session_id: number;
  /** Method and route of the first, as the route is declared: `GET /api/v1/admin/users`. */
  route: string;
  count: number;
  /** When the first one came, RFC 3339. */
  since: string;
  device: Device;
}

export const mostDenialsAtOnce = 100;

export const Audit = {
  list: request.admin<ListAuditEntries & { device: Device }, AuditPage>('identity.audit.list'),
  /** Records what a gateway refused by itself. */
  noteDenials: request.service<{ denials: AccessDenials[] }, void>('identity.audit.note_denials', {
    fields: {
      denials: listField(mostDenialsAtOnce, {
        user_id: idField,
        session_id: idField,
        route: textField(200),
        count: idField,
        since: textField(40),
      }),
    },
  }),
};

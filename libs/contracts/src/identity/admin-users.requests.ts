import { event } from '../core/event.js';
import type { ById } from '../core/page.dto.js';
import { request } from '../core/request.js';
import type { AdminUser, AdminUserPage, ListUsers, UpdateUser } from './admin-users.dto.js';
import type { Device, UserRole } from './identity.dto.js';

export const AdminUsers = {
  list: request.admin<ListUsers, AdminUserPage>('identity.admin_users.list'),
  update: request.admin<UpdateUser & ById & { device: Device }, AdminUser>(
    'identity.admin_users.update',
  ),
};

/** A user became administrator, or is none any more. */
export const userRoleChanged = event<{ user_id: number; role: UserRole }>(
  'identity.user.role_changed',
);
/** The user may not sign in any more. */
export const userDeactivated = event<{ user_id: number }>('identity.user.deactivated');
/** The user may sign in again. */
export const userReactivated = event<{ user_id: number }>('identity.user.reactivated');

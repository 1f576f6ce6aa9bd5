import type { AdminUser, AdminUserPage, ListUsers } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { User } from '../users/user.entity.js';
import { roleOf } from '../users/user.views.js';
import { boundedPage, Conditions, mostListed } from './bounded-page.js';

/** Finds users for administrators. Every condition has an index, so that the search holds at a million users. */
@Injectable()
export class UserSearch {
  constructor(private readonly dataSource: DataSource) {}

  /** The newest first. */
  async find(query: ListUsers): Promise<AdminUserPage> {
    const { where, values } = conditionsOf(query);
    return boundedPage(
      query,
      async ({ limit, offset }) => {
        const rows = await this.dataSource.query<{ id: number }[]>(
          `SELECT id FROM users ${where} ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}`,
          values,
        );
        const ids = rows.map(({ id }) => id);
        const users = await this.dataSource.manager
          .createQueryBuilder(User, 'user')
          .whereInIds(ids)
          .orderBy('user.id', 'DESC')
          .getMany();
        return users.map(toAdminUser);
      },
      async () => {
        const [row] = await this.dataSource.query<{ total: number }[]>(
          `SELECT count(*)::int AS total FROM (SELECT 1 FROM users ${where} LIMIT ${mostListed}) AS first`,
          values,
        );
        return row?.total ?? 0;
      },
    );
  }
}

function conditionsOf({ q, role, is_active, is_premium }: ListUsers): Conditions {
  const conditions = new Conditions();
  conditions.add(() => 'erased_at IS NULL');
  if (q !== undefined) addText(conditions, q);
  if (role === 'admin') conditions.add(() => 'is_admin');
  if (role === 'mentor') conditions.add(() => 'is_mentor AND NOT is_admin');
  if (role === 'student') conditions.add(() => 'NOT is_mentor AND NOT is_admin');
  if (is_active !== undefined) conditions.add(() => (is_active ? 'is_active' : 'NOT is_active'));
  if (is_premium !== undefined)
    conditions.add(() => (is_premium ? 'is_premium' : 'NOT is_premium'));
  return conditions;
}

/** The beginning of the address or the username, or of words of the name, all of them. */
function addText(conditions: Conditions, q: string): void {
  const text = q.trim().toLowerCase();
  const prefix = `${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  if (words.length === 0) {
    conditions.add((like) => `(email LIKE ${like} OR username LIKE ${like})`, prefix);
    return;
  }
  conditions.add(
    (like, name) =>
      `(email LIKE ${like} OR username LIKE ${like} OR to_tsvector('simple', full_name) @@ to_tsquery('simple', ${name}))`,
    prefix,
    words.map((word) => `${word}:*`).join(' & '),
  );
}

export function toAdminUser(user: User): AdminUser {
  return {
    id: user.id,
    email: user.email,
    username: user.username,
    full_name: user.fullName,
    role: roleOf(user),
    is_mentor: user.isMentor,
    is_active: user.isActive,
    is_premium: user.isPremium,
    email_verified: user.emailVerifiedAt !== null,
    created_at: user.createdAt.toISOString(),
  };
}

import { userRegistered } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import type { EntityManager } from 'typeorm';
import { type HashingCosts, Passwords } from '../passwords/passwords.js';
import { User } from '../users/user.entity.js';
import { toUserSummary } from '../users/user.views.js';
import { demoPassword, demoPeople, type DemoPerson } from './people.js';

const monthMs = 30 * 86_400_000;

/** An account that the runner shows. */
interface DemoAccount {
  role: DemoPerson['role'];
  email: string;
  password: string;
}

interface Surroundings {
  now: Date;
  /** Where the API is served, avatars included. */
  publicUrl: string;
  costs: HashingCosts;
}

/**
 * Creates the demo people who are not there yet, verified, and publishes them. Resolves to one account of
 * each role.
 * @throws when a demo id belongs to somebody else
 */
export async function seedPeople(
  tx: EntityManager,
  { now, publicUrl, costs }: Surroundings,
): Promise<{ accounts: DemoAccount[] }> {
  const present = await tx.find(User, { order: { id: 'ASC' } });
  const byId = new Map(present.map((user) => [user.id, user]));
  const stranger = demoPeople.find(({ id, email }) => (byId.get(id)?.email ?? email) !== email);
  if (stranger) {
    throw new Error(
      `User ${stranger.id} is not a demo user: demo data can only be loaded into an empty database.`,
    );
  }
  const missing = demoPeople.filter(({ id }) => !byId.has(id));
  if (missing.length > 0) await insert(tx, missing, { now, publicUrl, costs });
  return { accounts: (['admin', 'mentor', 'mentee'] as const).map(firstAccount) };
}

async function insert(
  tx: EntityManager,
  people: readonly DemoPerson[],
  { now, publicUrl, costs }: Surroundings,
): Promise<void> {
  const passwordHash = await new Passwords(costs).hash(demoPassword, { email: '', fullName: '' });
  const registeredAt = new Date(now.getTime() - monthMs);
  const users = people.map((person) =>
    tx.create(User, {
      id: person.id,
      email: person.email,
      username: person.username,
      fullName: person.fullName,
      passwordHash,
      requestedRole: person.role === 'mentor' ? 'mentor' : 'student',
      isAdmin: person.role === 'admin',
      isMentor: person.role === 'mentor',
      isActive: true,
      isPremium: false,
      bio: null,
      phone: null,
      avatarUrl:
        person.avatarSeed === null ? null : `${publicUrl}/avatars/${person.avatarSeed}.svg`,
      timezone: person.timezone,
      locale: person.locale,
      emailVerifiedAt: registeredAt,
      verifyBy: null,
      createdAt: registeredAt,
    }),
  );
  await tx.insert(User, users);
  await tx.query(
    `SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users))`,
  );
  await new Outbox().addMany(
    tx,
    users.map((user) => ({
      event: userRegistered,
      aggregateId: user.id,
      data: {
        ...toUserSummary(user),
        role: user.requestedRole,
        locale: user.locale,
        timezone: user.timezone,
      },
    })),
  );
}

function firstAccount(role: DemoPerson['role']): DemoAccount {
  const email = demoPeople.find((person) => person.role === role)?.email;
  if (email === undefined) throw new Error(`There is no demo ${role}.`);
  return { role, email, password: demoPassword };
}

import { type ProfileView, Users } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const profile: ProfileView = {
  id: 7,
  email: 'ada@example.com',
  username: 'ada',
  full_name: 'Ada Lovelace',
  role: 'student',
  email_verified: true,
  created_at: '2026-11-25T12:00:00.000Z',
  bio: null,
  phone: null,
  avatar_url: null,
  timezone: 'UTC',
  locale: 'en',
  is_mentor: false,
  is_mentee: true,
  is_premium: false,
};

const changes: object[] = [];

let system: System;
let authorization: string;

beforeAll(async () => {
  system = await startSystem([
    respond(Users.me, () => profile),
    respond(Users.updateMe, ({ user_id }, change) => {
      changes.push(Object.assign(change, { user_id }));
      return profile;
    }),
  ]);
  authorization = await token();
});

afterAll(() => system.close());

describe.each(['PUT', 'PATCH'])("changing one's own profile by %s", (method) => {
  /** What belongs to others: administrators, mentorship, the flows that prove an address, the upload of a picture. */
  const foreign = {
    id: 1,
    user_id: 1,
    email: 'other@example.com',
    email_verified: true,
    role: 'admin',
    roles: ['admin'],
    is_admin: true,
    is_mentor: true,
    is_mentee: true,
    is_active: true,
    is_premium: true,
    avatar_url: 'https://evil.example/pixel.png',
    password: 'correct horse battery',
    password_hash: 'x',
    created_at: '2020-01-01T00:00:00Z',
    erased_at: null,
  };

  it.each(Object.entries(foreign))('refuses %s, and names it', async (field, value) => {
    changes.length = 0;
    const answer = await system.as(authorization, method, '/api/v1/users/me', {
      bio: 'Hi',
      [field]: value,
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field }],
    });
    expect(changes).toEqual([]);
  });

  it('names all of them at once', async () => {
    const answer = await system.as(authorization, method, '/api/v1/users/me', foreign);
    const { errors } = (await answer.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).toSorted()).toEqual(Object.keys(foreign).toSorted());
  });

  it('takes the fields of both roles, for the user of the token', async () => {
    changes.length = 0;
    const change = {
      full_name: 'Ada King',
      username: 'ada.king',
      bio: 'Mathematics',
      phone: '+4915112345678',
      timezone: 'Europe/Berlin',
      locale: 'ru',
    };
    const answer = await system.as(authorization, method, '/api/v1/users/me', change);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual(profile);
    expect(changes).toEqual([{ user_id: ada.user_id, ...change }]);
  });
});

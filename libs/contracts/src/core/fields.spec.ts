import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { ApplyAsMentor, BookSession, RegisterUser } from '../dto.js';

/** The invalid properties of a body, with their first message each. */
function problems(shape: new () => object, body: object): Record<string, string> {
  const failures = validateSync(plainToInstance(shape, body), {
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
  });
  return Object.fromEntries(
    failures.map(({ property, constraints }) => [
      property,
      Object.values(constraints ?? {})[0] ?? '',
    ]),
  );
}

const registration = {
  email: ' Ada@Example.COM ',
  password: 'correct horse',
  full_name: 'Ada Lovelace',
  role: 'student',
};

describe('fields', () => {
  it('accepts a complete registration and folds the email address', () => {
    expect(problems(RegisterUser, registration)).toEqual({});
    expect(plainToInstance(RegisterUser, registration).email).toBe('ada@example.com');
  });

  it('names the fix for every wrong field', () => {
    expect(
      problems(RegisterUser, {
        email: 'nobody',
        password: 'short',
        full_name: 7,
        role: 'admin',
        timezone: 'Mars/Olympus',
      }),
    ).toEqual({
      email: 'email must be a email address such as user@example.com.',
      password: 'password must have 8 to 256 characters.',
      full_name: 'full_name must be a text.',
      role: 'role must be one of: student, mentor.',
      timezone: 'timezone must be an IANA time zone such as Europe/Berlin.',
    });
  });

  it('refuses an instant without a zone, and a date that does not exist', () => {
    const session = { mentor_id: 1, duration_minutes: 60, topic: 'Rust' };
    for (const scheduled_at of [
      '2026-11-25T15:00:00',
      '2026-02-30T15:00:00Z',
      '2026-11-25',
      'soon',
    ]) {
      expect(problems(BookSession, { ...session, scheduled_at })).toEqual({
        scheduled_at: 'scheduled_at must be an instant with a zone such as 2026-11-25T15:00:00Z.',
      });
    }
    expect(
      problems(BookSession, { ...session, scheduled_at: '2026-11-25T15:00:00+01:00' }),
    ).toEqual({});
  });

  it('refuses fields that the server decides', () => {
    const session = {
      mentor_id: 1,
      duration_minutes: 60,
      topic: 'Go',
      scheduled_at: '2026-11-25T15:00:00Z',
    };
    expect(
      Object.keys(problems(BookSession, { ...session, price: 1, status: 'confirmed' })),
    ).toEqual(['price', 'status']);
  });

  it('refuses text that PostgreSQL cannot store', () => {
    expect(problems(RegisterUser, { ...registration, full_name: 'Ada\0' })).toHaveProperty(
      'full_name',
    );
  });

  it('checks what lies within nested objects and lists', () => {
    const application = { title: 'Dev', description: 'Go', skills: [''], price_per_hour: 10.001 };
    expect(
      Object.keys(problems(ApplyAsMentor, { ...application, availability: { monday: 'all day' } })),
    ).toEqual(['skills', 'price_per_hour', 'availability']);
  });
});

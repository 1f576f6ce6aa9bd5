import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const environment = {
  DATABASE_URL: 'postgres://u:p@localhost:5432/postgres',
  NATS_URL: 'nats://localhost:4222',
  PUBLIC_URL: 'https://mentorhub.example',
  SECRET_KEY: 'a secret key of at least 32 characters',
};

describe('the configuration of identity', () => {
  it('needs a secret key of 32 characters, and does not repeat the one it got', () => {
    expect(() => readConfig({ ...environment, SECRET_KEY: 'hunter2 is short' })).toThrow(
      /^(?!.*hunter2)[\s\S]*SECRET_KEY must be a random text of at least 32 characters/,
    );
    expect(() => readConfig({ ...environment, SECRET_KEY: '' })).toThrow(/SECRET_KEY is missing/);
  });

  it('gives access tokens half an hour, and devices 30 days after each refresh and 90 in all', () => {
    expect(readConfig(environment)).toMatchObject({
      ACCESS_TOKEN_TTL_SECONDS: 1800,
      REFRESH_TOKEN_TTL_DAYS: 30,
      SESSION_TTL_DAYS: 90,
    });
  });

  it('refuses to sign devices out before their refresh tokens expire', () => {
    expect(() => readConfig({ ...environment, SESSION_TTL_DAYS: '29' })).toThrow(
      /SESSION_TTL_DAYS must be at least REFRESH_TOKEN_TTL_DAYS, which is 30/,
    );
    expect(readConfig({ ...environment, SESSION_TTL_DAYS: '30' }).SESSION_TTL_DAYS).toBe(30);
  });

  it('keeps one, three or five copies of the event stream', () => {
    expect(readConfig(environment).EVENT_STREAM_REPLICAS).toBe(1);
    expect(readConfig({ ...environment, EVENT_STREAM_REPLICAS: '3' }).EVENT_STREAM_REPLICAS).toBe(
      3,
    );
    expect(() => readConfig({ ...environment, EVENT_STREAM_REPLICAS: '2' })).toThrow(
      /EVENT_STREAM_REPLICAS must be 1, 3 or 5, not “2”/,
    );
  });

  it('refuses an administrator without a password', () => {
    expect(() => readConfig({ ...environment, ADMIN_EMAIL: 'admin@example.com' })).toThrow(
      /set both or neither/,
    );
  });

  it('makes the hashes of passwords costlier, never cheaper than 46 MiB and one pass', () => {
    expect(readConfig({ ...environment, ARGON2_MEMORY_KIB: '65536' })).toMatchObject({
      ARGON2_MEMORY_KIB: 65_536,
      ARGON2_PASSES: 1,
      ARGON2_PARALLELISM: 1,
    });
    const cheap = { ARGON2_MEMORY_KIB: '19456', ARGON2_PASSES: '0', ARGON2_PARALLELISM: '0' };
    expect(() => readConfig({ ...environment, ...cheap })).toThrow(
      /(?=[\s\S]*ARGON2_MEMORY_KIB)(?=[\s\S]*ARGON2_PASSES)[\s\S]*ARGON2_PARALLELISM/,
    );
  });

  it('refuses in production to take whoever names an address for its owner, unless that is meant', () => {
    const trusted = { ...environment, EMAIL_LOGIN: 'trusted' };
    expect(() => readConfig(trusted)).toThrow(/EMAIL_LOGIN=trusted signs in anybody/);
    expect(() => readConfig({ ...trusted, I_UNDERSTAND_TRUSTED_EMAIL_LOGIN: 'no' })).toThrow(
      /I_UNDERSTAND_TRUSTED_EMAIL_LOGIN=yes/,
    );
    expect(readConfig({ ...trusted, I_UNDERSTAND_TRUSTED_EMAIL_LOGIN: 'yes' }).EMAIL_LOGIN).toBe(
      'trusted',
    );
    expect(readConfig({ ...trusted, NODE_ENV: 'test' }).EMAIL_LOGIN).toBe('trusted');
    expect(readConfig(environment).EMAIL_LOGIN).toBe('code');
  });
});

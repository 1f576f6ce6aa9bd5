import { ConfigurationError } from '@mentorhub/service-kit';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config.js';

const folder = mkdtempSync(join(tmpdir(), 'providers-'));
afterAll(() => rmSync(folder, { recursive: true }));

const environment = {
  DATABASE_URL: 'postgres://u:p@localhost:5432/postgres',
  NATS_URL: 'nats://localhost:4222',
  PUBLIC_URL: 'https://mentorhub.example',
  SECRET_KEY: 'a secret key of at least 32 characters',
};
const campus = {
  OIDC_PROVIDERS: 'my-campus',
  OIDC_MY_CAMPUS_ISSUER: 'https://id.campus.example/',
  OIDC_MY_CAMPUS_CLIENT_ID: 'mentorhub',
  OIDC_MY_CAMPUS_CLIENT_SECRET: 'hunter2',
};

function read(settings: Record<string, string>) {
  return readConfig({ ...environment, ...settings }).PROVIDERS;
}

function problems(settings: Record<string, string>): readonly string[] {
  try {
    read(settings);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('the providers of a configuration', () => {
  it('are none by default', () => {
    expect(read({})).toEqual([]);
  });

  it('are Google and GitHub, as soon as their clients are set', () => {
    const settings = {
      OIDC_GOOGLE_CLIENT_ID: 'g',
      OIDC_GOOGLE_CLIENT_SECRET: 'gs',
      OIDC_GITHUB_CLIENT_ID: 'h',
      OIDC_GITHUB_CLIENT_SECRET: 'hs',
    };
    expect(read(settings)).toMatchObject([
      { kind: 'openid', id: 'google', issuer: 'https://accounts.google.com', clientId: 'g' },
      { kind: 'github', id: 'github', url: 'https://github.com', clientSecret: 'hs' },
    ]);
  });

  it('are any others by name, also with their secret in a file', () => {
    const { OIDC_MY_CAMPUS_CLIENT_SECRET: secret, ...others } = campus;
    const file = join(folder, 'secret');
    writeFileSync(file, `${secret}\n`);
    const expected = {
      kind: 'openid',
      id: 'my-campus',
      name: 'my-campus',
      issuer: 'https://id.campus.example',
      clientId: 'mentorhub',
      clientSecret: 'hunter2',
    };
    expect(read(campus)).toEqual([expected]);
    expect(read({ ...others, OIDC_MY_CAMPUS_CLIENT_SECRET_FILE: file })).toEqual([expected]);
    expect(read({ ...campus, OIDC_MY_CAMPUS_LABEL: 'Campus' })[0]?.name).toBe('Campus');
  });

  it('name everything that is missing or wrong at once, and no secret', () => {
    const found = problems({
      OIDC_GOOGLE_CLIENT_ID: 'g',
      OIDC_GITHUB_CLIENT_SECRET: 'hunter2',
      OIDC_PROVIDERS: 'campus,Bad Name,google',
      OIDC_CAMPUS_ISSUER: 'id.campus.example',
    });
    const expected = [
      /OIDC_GOOGLE_CLIENT_ID and OIDC_GOOGLE_CLIENT_SECRET belong together/,
      /OIDC_GITHUB_CLIENT_ID and OIDC_GITHUB_CLIENT_SECRET belong together/,
      /OIDC_CAMPUS_ISSUER must be an http:\/\/ or https:\/\/ address/,
      /OIDC_CAMPUS_CLIENT_ID is missing/,
      /OIDC_CAMPUS_CLIENT_SECRET is missing/,
      /OIDC_PROVIDERS has “Bad Name”/,
      /OIDC_PROVIDERS has “google”/,
    ];
    for (const problem of expected) {
      expect(found).toContainEqual(expect.stringMatching(problem));
    }
    expect(found).toHaveLength(expected.length);
    expect(found.join()).not.toContain('hunter2');
  });

  it('get no secret without TLS, but for those on this machine', () => {
    expect(problems({ ...campus, OIDC_MY_CAMPUS_ISSUER: 'http://id.campus.example' })).toEqual([
      expect.stringMatching(/OIDC_MY_CAMPUS_ISSUER must begin with https/),
    ]);
    expect(problems({ ...campus, OIDC_MY_CAMPUS_ISSUER: 'http://localhost:8080' })).toEqual([]);
  });

  it('are each named once, by name and by issuer', () => {
    const twice = {
      ...campus,
      OIDC_PROVIDERS: 'my-campus,other',
      OIDC_OTHER_ISSUER: 'https://id.campus.example',
      OIDC_OTHER_CLIENT_ID: 'mentorhub',
      OIDC_OTHER_CLIENT_SECRET: 'hunter2',
    };
    expect(problems(twice)).toEqual([
      expect.stringMatching(/“my-campus” and “other” are the same/),
    ]);
    expect(problems({ ...campus, OIDC_PROVIDERS: 'my-campus,my-campus' })).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import { gatewayVariables, serviceVariables } from './common-variables.js';
import { describeVariables } from './describe-variables.js';
import { ConfigurationError, readEnvironment } from './read-environment.js';
import { checkShutdown } from './shutdown.js';
import { choice, flag, integer, list, type RawEnvironment, text } from './variables.js';

const needed = {
  DATABASE_URL_IDENTITY: 'postgres://u:p@db:5432/people',
  NATS_URL: 'nats://nats:4222',
  PUBLIC_URL: 'https://mentorhub.example/',
};

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

const read = (environment: RawEnvironment) =>
  readEnvironment(environment, serviceVariables('IDENTITY', { managementPort: 8011 }));

const direct = (environment: RawEnvironment) => read(environment).DATABASE_DIRECT_URL;

const migration = (environment: RawEnvironment) => read(environment).MIGRATION_DATABASE_URL;

describe('readEnvironment', () => {
  it('fills in defaults', () => {
    expect(read(needed)).toMatchObject({
      PROFILE: 'production',
      LOG_FORMAT: 'json',
      MANAGEMENT_PORT: 8011,
      MANAGEMENT_HOST: '0.0.0.0',
      DATABASE_POOL_SIZE: 20,
      RUN_MIGRATIONS: false,
      SHUTDOWN_TIMEOUT_MS: 20_000,
      NATS_USER: undefined,
      PUBLIC_URL: 'https://mentorhub.example',
    });
  });

  it('makes the local profile readable and private to the machine', () => {
    expect(read({ ...needed, PROFILE: 'local', PUBLIC_URL: undefined })).toMatchObject({
      LOG_FORMAT: 'pretty',
      MANAGEMENT_HOST: '127.0.0.1',
      PUBLIC_URL: 'http://localhost:8000',
    });
  });

  it('takes the database of the service, or its own database on the common server', () => {
    expect(read(needed).DATABASE_URL).toBe('postgres://u:p@db:5432/people');
    expect(
      read({
        ...needed,
        DATABASE_URL_IDENTITY: undefined,
        DATABASE_URL: 'postgres://u:p@db/postgres?sslmode=require',
      }).DATABASE_URL,
    ).toBe('postgres://u:p@db/identity?sslmode=require');
  });

  it('reaches the same database past a pooler', () => {
    expect(direct(needed)).toBeUndefined();
    expect(direct({ ...needed, DATABASE_DIRECT_URL: 'postgres://u:p@primary:5433' })).toBe(
      'postgres://u:p@primary:5433/people',
    );
    expect(
      direct({
        ...needed,
        DATABASE_URL_IDENTITY: undefined,
        DATABASE_URL: 'postgres://u:p@pooler:6432',
        DATABASE_DIRECT_URL: 'postgres://u:p@primary',
      }),
    ).toBe('postgres://u:p@primary/identity');
    expect(direct({ ...needed, DATABASE_DIRECT_URL_IDENTITY: 'postgres://u:p@one/other' })).toBe(
      'postgres://u:p@one/other',
    );
  });

  it('reaches the same database by the role that owns its tables', () => {
    expect(migration(needed)).toBeUndefined();
    expect(migration({ ...needed, MIGRATION_DATABASE_URL: 'postgres://owner:p@primary' })).toBe(
      'postgres://owner:p@primary/people',
    );
    expect(
      migration({ ...needed, MIGRATION_DATABASE_URL_IDENTITY: 'postgres://owner:p@db/people' }),
    ).toBe('postgres://owner:p@db/people');
  });

  it('names every bad variable at once, with the fix', () => {
    const problems = problemsOf(() =>
      read({ NATS_URL: 'http://nats', LOG_LEVEL: 'loud', MANAGEMENT_PORT: '99999', NATS_USER: '' }),
    );
    expect(problems).toHaveLength(5);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^DATABASE_URL_IDENTITY or DATABASE_URL is missing: set it to an/),
        expect.stringMatching(/^LOG_LEVEL must be one of fatal, .*, not “loud”\./),
        expect.stringMatching(/^MANAGEMENT_PORT must be a port from 0 to 65535, not “99999”\./),
        expect.stringMatching(/^NATS_URL must be an address that begins with nats:\/\//),
        expect.stringMatching(/^PUBLIC_URL is missing/),
      ]),
    );
  });

  it('leaves a stopping service the time that its work in flight may take', () => {
    expect(problemsOf(() => read({ ...needed, SHUTDOWN_TIMEOUT_MS: '14999' }))).toEqual([
      expect.stringMatching(
        /^SHUTDOWN_TIMEOUT_MS must be a whole number of at least 15000, not “14999”/,
      ),
    ]);
  });

  it('never shows a secret', () => {
    const problems = problemsOf(() =>
      read({ ...needed, DATABASE_URL_IDENTITY: 'mysql://u:hunter2@db' }),
    );
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('hunter2');
  });

  it('reads every kind of variable', () => {
    const variables = {
      WORD: choice(['a', 'b'])({ desc: 'w' }),
      WHOLE: integer({ desc: 'n', min: -5, max: 5 }),
      LONG: text({ desc: 't', min: 3 }),
      ON: flag({ desc: 'f' }),
      MANY: list({ desc: 'l' }),
    };
    const good = { WORD: 'a', WHOLE: '-5', LONG: 'abc', ON: '1', MANY: 'x, y,,z' };
    expect(readEnvironment(good, variables)).toEqual({
      WORD: 'a',
      WHOLE: -5,
      LONG: 'abc',
      ON: true,
      MANY: ['x', 'y', 'z'],
    });
    const bad = { WORD: 'c', WHOLE: '1.5', LONG: 'ab', ON: 'maybe', MANY: '' };
    expect(problemsOf(() => readEnvironment(bad, variables))).toHaveLength(5);
  });

  it('gives the gateways their ports and a delay to stop', () => {
    const config = readEnvironment(
      { ...needed, ALLOWED_ORIGINS: 'https://a.example, https://b.example' },
      gatewayVariables({ port: 8001, managementPort: 8021 }),
    );
    expect(config).toMatchObject({
      PORT: 8001,
      HOST: '0.0.0.0',
      SHUTDOWN_DELAY_MS: 5000,
      ALLOWED_ORIGINS: ['https://a.example', 'https://b.example'],
    });
    const local = readEnvironment({ ...needed, PROFILE: 'local' }, gatewayVariables());
    expect(local.SHUTDOWN_DELAY_MS).toBe(1000);
  });
});

describe('checkShutdown', () => {
  const config = { SHUTDOWN_DELAY_MS: 5000, SHUTDOWN_TIMEOUT_MS: 20_000 };

  it('accepts a shutdown that just fits', () => {
    expect(() => checkShutdown(config, [{ name: 'the rest', ms: 12_500 }])).not.toThrow();
  });

  it('refuses one that takes longer, with the variables, their sum and the fix', () => {
    const steps = [
      { name: 'WS_DRAIN_SECONDS', ms: 20_000 },
      { name: 'goodbyes', ms: 2000 },
    ];
    expect(problemsOf(() => checkShutdown(config, steps))).toEqual([
      'SHUTDOWN_TIMEOUT_MS is 20000, but a shutdown may take 29500 ms: SHUTDOWN_DELAY_MS and half of it (7500 ms) + ' +
        'WS_DRAIN_SECONDS (20000 ms) + goodbyes (2000 ms). Raise SHUTDOWN_TIMEOUT_MS to at least 29500, or ' +
        'lower the others.',
    ]);
  });
});

describe('describeVariables', () => {
  it('renders a table of names, meanings and defaults', () => {
    const table = describeVariables({
      TTL: integer({ default: 30, min: 1, desc: 'How long' }),
      KEY: text({ secret: true, desc: 'A key' }),
      NICK: text({ optional: true, desc: 'A | name' }),
    });
    expect(table).toBe(
      [
        '| Variable | Meaning | Default |',
        '| --- | --- | --- |',
        '| `TTL` | How long; a whole number of at least 1 | `30` |',
        '| `KEY` or `KEY_FILE` | A key; a text | **required** |',
        '| `NICK` | A \\| name; a text | — |',
        '',
      ].join('\n'),
    );
  });
});

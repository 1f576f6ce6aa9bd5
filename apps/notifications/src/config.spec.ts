import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';

const environment = {
  DATABASE_URL: 'postgres://user@localhost/x',
  NATS_URL: 'nats://localhost',
  PUBLIC_URL: 'https://mentorhub.example',
};

describe('the configuration of notifications', () => {
  it('keeps mails in the local profile', () => {
    expect(readConfig({ ...environment, PROFILE: 'local' }).MAIL_TRANSPORT).toBe('log');
  });

  it('asks how mails leave in any other', () => {
    expect(() => readConfig(environment)).toThrow(/MAIL_TRANSPORT is missing/);
  });

  it('names everything that SendGrid needs at once', () => {
    expect(() => readConfig({ ...environment, MAIL_TRANSPORT: 'sendgrid' })).toThrow(
      /MAIL_FROM is missing[^]*SENDGRID_API_KEY is missing/,
    );
  });
});

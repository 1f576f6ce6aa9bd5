import { Auth, Passkeys, SecondFactors, Sessions } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepUp } from '../src/auth/step-up.js';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_audit');
});
afterAll(() => identity.stop());

const minute = 60_000;
const stepUp = () => identity.replicas[0]!.app.get(StepUp);
const where = { ip: laptop.ip, user_agent: laptop.user_agent };

describe('the audit trail', () => {
  it('names who signed in and out, from where', async () => {
    const { actor, user } = await identity.signUp();
    const who = { actor_id: user.id, user_id: user.id, outcome: 'success', ...where };
    expect(await identity.auditOf('user.register')).toContainEqual({
      ...who,
      session_id: null,
      detail: {},
    });
    const session = { ...who, session_id: actor.session_id };
    expect(await identity.auditOf('session.open')).toContainEqual({
      ...session,
      detail: { method: 'password' },
    });
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await identity.auditOf('session.end')).toContainEqual({ ...session, detail: {} });
  });

  it('names the account that a wrong password was for, and never an address', async () => {
    const user = await identity.register({ email: 'guessed@example.com' });
    for (const email of [user.email, 'nobody@example.com']) {
      const guess = { email, password: 'not the password', device: phone };
      expect((await identity.failure(Auth.login, undefined, guess)).code).toBe(
        'INVALID_CREDENTIALS',
      );
    }
    const entries = await identity.auditOf('password.check');
    expect(entries.map(({ user_id }) => user_id)).toEqual([user.id, null]);
    expect(entries[0]).toMatchObject({ outcome: 'failure', actor_id: null, ip: phone.ip });
    const all = await identity.dataSource.query(
      'SELECT string_agg(audit_log::text, chr(10)) AS all FROM audit_log',
    );
    expect(JSON.stringify(all)).not.toMatch(/@example|not the password|rabe/);
  });

  it('names the deactivated account that somebody tried to sign in to with the right password', async () => {
    const { id, email } = await identity.register();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [id]);
    const attempt = { email, password: goodPassword, device: laptop };
    expect((await identity.failure(Auth.login, undefined, attempt)).code).toBe('FORBIDDEN');
    expect(await identity.auditOf('session.open')).toContainEqual({
      outcome: 'failure',
      actor_id: null,
      user_id: id,
      session_id: null,
      ...where,
      detail: { method: 'password', code: 'FORBIDDEN' },
    });
  });

  it('names sensitive acts that were refused for want of a fresh proof', async () => {
    const { actor, user } = await identity.signUp();
    identity.clock.advance(10 * minute);
    const device = laptop;
    const refused = {
      'passkey.add': await identity.failure(Passkeys.registrationOptions, actor, {}),
      'passkey.rename': await identity.failure(Passkeys.rename, actor, {
        id: 1,
        name: 'Key',
        device,
      }),
      'passkey.remove': await identity.failure(Passkeys.remove, actor, { id: 1, device }),
      'totp.enrol': await identity.failure(SecondFactors.enrolTotp, actor, { device }),
      'recovery_codes.replace': await identity.failure(SecondFactors.replaceRecoveryCodes, actor, {
        code: '123456',
        device,
      }),
    } as const;
    for (const [action, { code }] of Object.entries(refused)) {
      expect(code).toBe('REAUTHENTICATION_REQUIRED');
      expect(await identity.auditOf(action as keyof typeof refused)).toContainEqual(
        expect.objectContaining({
          outcome: 'failure',
          actor_id: user.id,
          session_id: actor.session_id,
          detail: { code },
        }),
      );
    }
  });

  it('shows a forged line as a part of what the client sent', async () => {
    const forged = 'Laptop\n2026-11-25 admin.grant success actor=1';
    const { email } = await identity.register();
    const device = { user_agent: forged, ip: laptop.ip };
    const { actor } = await identity.signIn(email, device);
    const entries = await identity.auditOf('session.open');
    expect(entries.filter(({ user_agent }) => user_agent === forged)).toHaveLength(1);
    expect(entries.at(-1)).toMatchObject({ session_id: actor.session_id });
  });

  it.each([
    ['changed', `UPDATE audit_log SET outcome = 'success', actor_id = 1`],
    ['moved', `UPDATE audit_log SET ip = '192.0.2.1'`],
    ['deleted', 'DELETE FROM audit_log'],
    ['emptied', 'TRUNCATE audit_log'],
  ])('cannot be %s', async (_how, statement) => {
    await identity.signUp();
    await expect(identity.dataSource.query(statement)).rejects.toThrow(/append-only/);
  });

  it('loses where an act came from when that has to be erased, and nothing else', async () => {
    const { user } = await identity.signUp();
    await identity.dataSource.query(
      'UPDATE audit_log SET ip = NULL, user_agent = NULL WHERE user_id = $1',
      [user.id],
    );
    const entry = (await identity.auditOf('user.register')).find((one) => one.user_id === user.id);
    expect(entry).toMatchObject({ ip: null, user_agent: null, outcome: 'success' });
  });

  it('is kept for two years', async () => {
    const [{ id: old } = { id: 0 }] = await identity.dataSource.query<{ id: string }[]>(
      `INSERT INTO audit_log (occurred_at, action, outcome, detail)
       VALUES ('2024-11-24', 'session.open', 'success', '{}') RETURNING id`,
    );
    const [{ id: recent } = { id: 0 }] = await identity.dataSource.query<{ id: string }[]>(
      `INSERT INTO audit_log (occurred_at, action, outcome, detail)
       VALUES ('2024-11-26', 'session.open', 'success', '{}') RETURNING id`,
    );
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    const left = await identity.dataSource.query<{ id: string }[]>(
      'SELECT id FROM audit_log WHERE id IN ($1, $2)',
      [old, recent],
    );
    expect(left).toEqual([{ id: recent }]);
  });
});

describe('sensitive acts', () => {
  it('need a proof that is at most ten minutes old', async () => {
    const { actor } = await identity.signUp();
    identity.clock.advance(10 * minute - 1);
    await stepUp().require(actor);
    identity.clock.advance(1);
    await expect(stepUp().require(actor)).rejects.toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    await identity.request(Auth.reauthenticate, actor, { password: goodPassword, device: laptop });
    await stepUp().require(actor);
    expect(await identity.auditOf('reauthentication.password')).toMatchObject([
      { actor_id: actor.user_id, session_id: actor.session_id },
    ]);
  });

  it('are not opened by a wrong password, nor for a session that was ended', async () => {
    const { actor, user } = await identity.signUp();
    identity.clock.advance(10 * minute);
    const wrong = await identity.failure(Auth.reauthenticate, actor, {
      password: 'not the password',
      device: laptop,
    });
    expect(wrong.code).toBe('INVALID_CREDENTIALS');
    await expect(stepUp().require(actor)).rejects.toThrow(/Prove again/);
    const other = await identity.signIn(user.email);
    await stepUp().require(other.actor);
    await identity.request(Sessions.revoke, other.actor, {
      id: other.actor.session_id,
      device: laptop,
    });
    await expect(stepUp().require(other.actor)).rejects.toThrow(/Prove again/);
  });
});

describe('an account without a password', () => {
  it('cannot be entered with any', async () => {
    const user = await identity.register();
    await identity.dataSource.query('UPDATE users SET password_hash = NULL WHERE id = $1', [
      user.id,
    ]);
    const refusal = await identity.failure(Auth.login, undefined, {
      email: user.email,
      password: goodPassword,
      device: laptop,
    });
    expect(refusal.code).toBe('INVALID_CREDENTIALS');
  });
});

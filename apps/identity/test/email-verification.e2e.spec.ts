import { EmailVerification, Users } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IdentityFixture } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_verification');
});
afterAll(() => identity.stop());

const requested = 'identity.user.verification_requested';

function mint(user_id: number) {
  return identity.request(EmailVerification.mint, undefined, { user_id });
}

function verify(token: string) {
  return identity.request(EmailVerification.verify, undefined, { token });
}

function verifyFailure(token: string) {
  return identity.failure(EmailVerification.verify, undefined, { token });
}

describe('verifying the email address', () => {
  it('works with the token that the mailer asked for', async () => {
    const user = await identity.register({ locale: 'ru' });
    const { token, ...contact } = await mint(user.id);
    expect(contact).toMatchObject({ user_id: user.id, email: user.email, locale: 'ru' });
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(await verify(token)).toEqual({
      message: 'The email address is verified.',
      email: user.email,
    });
    expect(await identity.events('identity.user.email_verified', user.id)).toEqual([
      { user_id: user.id },
    ]);
    const { email_verified } = await identity.request(Users.contact, undefined, {
      user_id: user.id,
    });
    expect(email_verified).toBe(true);
  });

  it('works once, also when the link is opened 5 times at the same moment', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => verify(token)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await verifyFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await identity.events('identity.user.email_verified', id)).toHaveLength(1);
  });

  it('works for 24 hours', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    identity.clock.advance(24 * 3_600_000);
    expect(await verifyFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('works with the newest link only', async () => {
    const { id, email } = await identity.register();
    const older = await mint(id);
    const newer = await mint(id);
    expect(await verifyFailure(older.token)).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await verify(newer.token)).toMatchObject({ email });
  });

  it('does not work with a made-up token', async () => {
    expect(await verifyFailure('made-up')).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('keeps only the hash of the token', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    const [row] = await identity.dataSource.query<{ token_hash: Buffer }[]>(
      'SELECT token_hash FROM email_verifications WHERE user_id = $1',
      [id],
    );
    expect(row?.token_hash).toHaveLength(32);
    expect(row?.token_hash.equals(Buffer.from(token, 'base64url'))).toBe(false);
  });
});

describe('asking for the verification mail again', () => {
  it('answers the same for the known, the verified and the unknown, and writes to the first only', async () => {
    const known = await identity.register();
    const verified = await identity.register();
    await verify((await mint(verified.id)).token);
    const before = await identity.events(requested);

    const answers = [];
    for (const email of [known.email, verified.email, 'nobody@example.com']) {
      answers.push(await identity.request(EmailVerification.send, undefined, { email }));
    }
    expect(answers[0]).toEqual({ message: expect.any(String), expires_in_hours: 24 });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(await identity.events(requested)).toEqual([...before, { user_id: known.id }]);
  });

  it('writes at most one mail an address and minute', async () => {
    const { id, email } = await identity.register();
    const send = () => identity.request(EmailVerification.send, undefined, { email });
    await Promise.all([send(), send(), send()]);
    // The first came with the registration.
    expect(await identity.events(requested, id)).toHaveLength(2);
    identity.clock.advance(60_000);
    await send();
    expect(await identity.events(requested, id)).toHaveLength(3);
  });
});

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Avatars, Erasure, Users } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AvatarFiles } from '../src/avatars/avatar-files.js';
import { AvatarStorages } from '../src/avatars/avatar-storages.js';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { IdentityFixture, laptop } from './fixture.js';

/** What passes for WebP; the gateway makes the real one. */
const pictureOf = (content: string): string =>
  Buffer.from(`RIFF0000WEBP${content}`).toString('base64');

const keyOf = (url: string | null): string => /\/avatars\/([\w-]{22})\.webp$/.exec(url ?? '')![1]!;

const hourMs = 3_600_000;

describe('the picture of a user', () => {
  let fixture: IdentityFixture;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mentorhub-avatars-'));
    fixture = await IdentityFixture.start('avatars', {
      AVATAR_STORAGE: 'disk',
      AVATAR_DIRECTORY: folder,
      AVATAR_UPLOADS_PER_HOUR: '3',
      PUBLIC_URL: 'https://mentorhub.test',
    });
  });

  afterAll(async () => {
    await fixture.stop();
    await rm(folder, { recursive: true });
  });

  const filesOnDisk = async (): Promise<string[]> =>
    (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.webp'));

  const replace = (actor: Parameters<typeof fixture.request>[1], content: string) =>
    fixture.request(Avatars.replace, actor, { image: pictureOf(content), device: laptop });

  it('appears in the profile, on the card and in every service, at an address that nobody can guess', async () => {
    const { actor } = await fixture.signUp();
    const { avatar_url } = await replace(actor, 'one');
    expect(avatar_url).toMatch(/^https:\/\/mentorhub\.test\/avatars\/[\w-]{22}\.webp$/);
    const me = await fixture.request(Users.me, actor, {});
    const card = await fixture.request(Users.card, actor, { id: actor.user_id });
    expect([me.avatar_url, card.avatar_url]).toEqual([avatar_url, avatar_url]);
    const [updated] = await fixture.events('identity.user.updated', actor.user_id);
    expect(updated).toMatchObject({ user_id: actor.user_id, avatar_url });
    const read = await fixture.request(Avatars.read, undefined, { key: keyOf(avatar_url) });
    expect(read.image).toBe(pictureOf('one'));
    expect(await fixture.auditOf('avatar.replace')).toMatchObject([
      { outcome: 'success', actor_id: actor.user_id, ip: laptop.ip },
    ]);
  });

  it('takes the place of the one before, whose file and address are gone', async () => {
    const { actor } = await fixture.signUp();
    const before = await filesOnDisk();
    const first = await replace(actor, 'one');
    const second = await replace(actor, 'two');
    expect(second.avatar_url).not.toBe(first.avatar_url);
    const failure = await fixture.failure(Avatars.read, undefined, {
      key: keyOf(first.avatar_url),
    });
    expect(failure.code).toBe('NOT_FOUND');
    expect(await filesOnDisk()).toHaveLength(before.length + 1);
  });

  it('is one when two are uploaded at once, and no file stays behind', async () => {
    const { actor } = await fixture.signUp();
    const before = await filesOnDisk();
    await Promise.all(['a', 'b', 'c', 'd'].map((content) => replace(actor, content)));
    const me = await fixture.request(Users.me, actor, {});
    await fixture.request(Avatars.read, undefined, { key: keyOf(me.avatar_url) });
    expect(await filesOnDisk()).toHaveLength(before.length + 1);
  });

  it('is removed with its file', async () => {
    const { actor } = await fixture.signUp();
    const { avatar_url } = await replace(actor, 'one');
    const before = await filesOnDisk();
    await fixture.request(Avatars.remove, actor, { device: laptop });
    expect((await fixture.request(Users.me, actor, {})).avatar_url).toBeNull();
    expect(await filesOnDisk()).toHaveLength(before.length - 1);
    const failure = await fixture.failure(Avatars.read, undefined, { key: keyOf(avatar_url) });
    expect(failure.code).toBe('NOT_FOUND');
    // Again it changes nothing.
    await fixture.request(Avatars.remove, actor, { device: laptop });
  });

  it('goes with the account', async () => {
    const { actor } = await fixture.signUp();
    const { avatar_url } = await replace(actor, 'one');
    const before = await filesOnDisk();
    await fixture.request(Erasure.erase, actor, { device: laptop });
    expect(await filesOnDisk()).toHaveLength(before.length - 1);
    const failure = await fixture.failure(Avatars.read, undefined, { key: keyOf(avatar_url) });
    expect(failure.code).toBe('NOT_FOUND');
  });

  it('is counted per user and hour, also when nothing comes of it', async () => {
    const { actor } = await fixture.signUp();
    const other = await fixture.signUp();
    const admit = (user_id: number) => fixture.request(Avatars.admit, undefined, { user_id });
    for (let upload = 0; upload < 3; upload += 1) await admit(actor.user_id);
    const failure = await fixture.failure(Avatars.admit, undefined, { user_id: actor.user_id });
    expect(failure).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 3600 });
    await admit(other.actor.user_id);
    fixture.clock.advance(hourMs);
    await admit(actor.user_id);
  });

  it('is refused when it is no WebP, or too large', async () => {
    const { actor } = await fixture.signUp();
    for (const image of [
      Buffer.from('<svg onload="alert(1)">').toString('base64'),
      pictureOf('x'.repeat(100_000)),
    ]) {
      const failure = await fixture.failure(Avatars.replace, actor, { image, device: laptop });
      expect(failure.code).toBe('VALIDATION_FAILED');
    }
    expect((await fixture.request(Users.me, actor, {})).avatar_url).toBeNull();
  });

  it('leaves no file when an upload broke off between the file and the account', async () => {
    const files = fixture.replicas[0]!.app.get(AvatarFiles, { strict: false });
    const before = await filesOnDisk();
    await files.store(Buffer.from('RIFF0000WEBPlost'));
    expect(await filesOnDisk()).toHaveLength(before.length + 1);
    const housekeeping = fixture.replicas[0]!.app.get(Housekeeping, { strict: false });
    await housekeeping.sweep();
    // An upload may still be going on.
    expect(await filesOnDisk()).toHaveLength(before.length + 1);
    fixture.clock.advance(hourMs + 1000);
    await housekeeping.sweep();
    expect(await filesOnDisk()).toHaveLength(before.length);
  });
});

describe('the storage of pictures', () => {
  let fixture: IdentityFixture;
  const objects = new Map<string, Buffer>();
  const authorizations: string[] = [];
  // The four requests of S3 that are made, answered by what was put.
  const bucket = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://bucket').pathname;
    authorizations.push(request.headers.authorization ?? '');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PUT') objects.set(path, Buffer.concat(chunks));
      if (request.method === 'DELETE') {
        response.writeHead(objects.delete(path) ? 204 : 404).end();
        return;
      }
      const found = objects.get(path);
      const length = request.method === 'PUT' ? 0 : (found?.length ?? 0);
      response.writeHead(found ? 200 : 404, { 'content-length': length });
      response.end(request.method === 'GET' ? found : undefined);
    });
  });

  beforeAll(async () => {
    await new Promise<void>((resolve) => bucket.listen(0, '127.0.0.1', resolve));
    fixture = await IdentityFixture.start('storage', { AVATAR_STORAGE: 'database' });
    await fixture.addReplica({
      AVATAR_STORAGE: 's3',
      AVATAR_S3_BUCKET: 'pictures',
      AVATAR_S3_ENDPOINT: `http://127.0.0.1:${(bucket.address() as AddressInfo).port}`,
      AVATAR_S3_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AVATAR_S3_SECRET_ACCESS_KEY: 'a secret key',
    });
  });

  afterAll(async () => {
    await fixture.stop();
    bucket.closeAllConnections();
    bucket.close();
  });

  const files = (replica: number) =>
    fixture.replicas[replica]!.app.get(AvatarFiles, { strict: false });

  const assign = (userId: number, key: string | null) =>
    fixture.dataSource.transaction((tx) => files(0).assign(tx, userId, key));

  it('may be the database, which every replica and every backup has', async () => {
    const { actor } = await fixture.signUp();
    const key = await files(0).store(Buffer.from('a picture'));
    // Not before it is somebody's.
    expect(await files(1).read(key)).toBeUndefined();
    await assign(actor.user_id, key);
    expect((await files(1).read(key))?.toString()).toBe('a picture');
    await files(1).discard(await assign(actor.user_id, null));
    expect(await fixture.dataSource.query('SELECT FROM avatar_files')).toEqual([]);
  });

  it('may be a bucket, whose requests are signed', async () => {
    const { actor } = await fixture.signUp();
    const key = await files(1).store(Buffer.from('a picture in a bucket'));
    await assign(actor.user_id, key);
    expect([...objects.keys()]).toEqual([
      expect.stringMatching(/^\/pictures\/[\da-f]{2}\/[\da-f]{32}\.webp$/),
    ]);
    expect((await files(1).read(key))?.toString()).toBe('a picture in a bucket');
    await files(1).discard(await assign(actor.user_id, null));
    expect(objects.size).toBe(0);
    for (const authorization of authorizations) {
      expect(authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\//);
      expect(authorization).not.toContain('a secret key');
    }
  });

  it('is read where a picture was stored, also after it was changed', async () => {
    const { actor } = await fixture.signUp();
    const key = await files(0).store(Buffer.from('from before'));
    await assign(actor.user_id, key);
    expect(fixture.replicas[1]!.app.get(AvatarStorages, { strict: false }).current).toBe('s3');
    expect((await files(1).read(key))?.toString()).toBe('from before');
  });

  it('keeps the row of a file that could not be deleted, and tries again', async () => {
    const { actor } = await fixture.signUp();
    const key = await files(1).store(Buffer.from('stubborn'));
    await assign(actor.user_id, key);
    const discarded = await assign(actor.user_id, null);
    // This replica has no bucket.
    await files(0).discard(discarded);
    expect(objects.size).toBe(1);
    fixture.clock.advance(hourMs + 1000);
    await files(1).sweep();
    expect(objects.size).toBe(0);
  });
});

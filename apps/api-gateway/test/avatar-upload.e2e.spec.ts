import { connect } from 'node:net';
import { deflateSync, crc32 } from 'node:zlib';
import { ApplicationError, Avatars } from '@mentorhub/contracts';
import { eventually } from '@mentorhub/testing';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const path = '/api/v1/users/me/avatar';
const megabyte = 1024 * 1024;

/** What identity was asked to store. */
const stored: { user_id: number; picture: Buffer }[] = [];
let admitted = 0;
let quota = Number.POSITIVE_INFINITY;

let system: System;
let authorization: string;

beforeAll(async () => {
  system = await startSystem([
    respond(Avatars.admit, () => {
      admitted += 1;
      if (admitted > quota) {
        throw new ApplicationError('RATE_LIMITED', 'Too many uploads.', { retryAfterSeconds: 60 });
      }
    }),
    respond(Avatars.replace, (actor, { image }) => {
      stored.push({ user_id: actor.user_id, picture: Buffer.from(image, 'base64') });
      return { avatar_url: 'https://mentorhub.test/avatars/1.webp' };
    }),
    respond(Avatars.remove, () => undefined),
    respond(Avatars.read, (_, { key }) => {
      if (key !== 'AAAAAAAAAAAAAAAAAAAAAA') throw ApplicationError.notFound('The picture');
      return { image: Buffer.from('RIFF0000WEBP').toString('base64') };
    }),
  ]);
  authorization = `Bearer ${await token()}`;
});

afterAll(() => system.close());

beforeEach(() => {
  stored.length = 0;
  admitted = 0;
  quota = Number.POSITIVE_INFINITY;
});

type Part = { bytes: Buffer | string; name?: string; filename?: string; type?: string };

function formOf(parts: Part[]): FormData {
  const form = new FormData();
  for (const { bytes, name = 'file', filename = 'photo.png', type = 'image/png' } of parts) {
    form.append(name, new Blob([new Uint8Array(Buffer.from(bytes))], { type }), filename);
  }
  return form;
}

async function upload(...parts: Part[]): Promise<{ status: number; body: Body; headers: Headers }> {
  const answer = await system.fetch(path, {
    method: 'POST',
    headers: { authorization },
    body: formOf(parts),
  });
  return {
    status: answer.status,
    body: (await answer.json()) as Body,
    headers: answer.headers,
  };
}

/** What is wrong with an upload. */
async function faults(...parts: Part[]) {
  const { status, body } = await upload(...parts);
  return { status, fields: body.errors?.map(({ field }) => field) };
}

interface Body {
  avatar_url?: string;
  code?: string;
  errors?: { field: string; message: string }[];
}

/** A picture of two halves, red on the left and blue on the right. */
function picture(width = 600, height = 300): Sharp {
  const right = { width: width / 2, height, channels: 3 as const };
  return sharp({ create: { width, height, channels: 3, background: 'red' } }).composite([
    { input: { create: { ...right, background: 'blue' } }, left: width / 2, top: 0 },
  ]);
}

/** A chunk of a PNG. */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}

/** A valid PNG of one colour, a few KB however large it is. */
function pngOf(width: number, height: number, interlaced = false): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // One bit a pixel, greyscale; interlaced, three bytes.
  header.set(interlaced ? [8, 2, 0, 0, 1] : [1, 0, 0, 0, 0], 8);
  const lines = Buffer.alloc(height * (1 + (interlaced ? 3 * width : Math.ceil(width / 8))));
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines, { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('uploading a picture', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('takes %s and stores a square WebP', async (format) => {
    const { status, body } = await upload({ bytes: await picture().toFormat(format).toBuffer() });
    expect({ status, body }).toEqual({
      status: 200,
      body: { avatar_url: 'https://mentorhub.test/avatars/1.webp' },
    });
    expect(stored).toMatchObject([{ user_id: ada.user_id }]);
    const result = stored[0]!.picture;
    expect(await sharp(result).metadata()).toMatchObject({
      format: 'webp',
      width: 512,
      height: 512,
    });
    expect(result.length).toBeLessThanOrEqual(100_000);
  });

  it('goes by what the file is, not by its name or the type that the client says', async () => {
    const bytes = await picture().jpeg().toBuffer();
    const { status } = await upload({ bytes, filename: '../../x.svg', type: 'text/html' });
    expect(status).toBe(200);
  });

  it('keeps nothing of what a camera adds: place, device, colour profile, comments', async () => {
    const bytes = await picture()
      .withExif({
        IFD0: { Make: 'SecretCamera', Artist: 'Ada Lovelace' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' },
      })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret/></x:xmpmeta>')
      .withIccProfile('p3', { attach: true })
      .jpeg()
      .toBuffer();
    const before = await sharp(bytes).metadata();
    expect(before.exif && before.xmp && before.icc).toBeDefined();

    expect((await upload({ bytes })).status).toBe(200);
    const after = await sharp(stored[0]!.picture).metadata();
    expect([after.exif, after.xmp, after.icc, after.iptc]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(stored[0]!.picture.toString('latin1')).not.toMatch(/SecretCamera|EXIF|XMP |ICCP/);
  });

  it('turns a photo as it was taken', async () => {
    // Turned to the right: what was on the left is on top.
    const bytes = await picture(300, 300).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    await upload({ bytes });
    const { data, info } = await sharp(stored[0]!.picture)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const at = (x: number, y: number) => data[(y * info.width + x) * info.channels]! > 128;
    expect([at(256, 100), at(256, 400)]).toEqual([true, false]);
  });

  it('takes the markup behind a picture for nothing', async () => {
    const jpeg = await picture().jpeg().toBuffer();
    const html = '<html><script>alert(document.domain)</script></html>';
    const { status } = await upload({ bytes: Buffer.concat([jpeg, Buffer.from(html)]) });
    expect(status).toBe(200);
    expect(stored[0]!.picture.toString('latin1')).not.toContain('script');
  });

  it('takes the first picture of an animation', async () => {
    const pictures = [picture(64, 64), picture(64, 64).negate()];
    const frames = await sharp(await Promise.all(pictures.map((one) => one.png().toBuffer())), {
      join: { animated: true },
    })
      .webp({ delay: [10, 10] })
      .toBuffer();
    expect((await sharp(frames, { pages: -1 }).metadata()).pages).toBe(2);
    expect((await upload({ bytes: frames })).status).toBe(200);
    expect((await sharp(stored[0]!.picture, { pages: -1 }).metadata()).pages ?? 1).toBe(1);
  });

  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  const refused: [what: string, bytes: () => Promise<Buffer> | Buffer | string][] = [
    ['an SVG', () => svg],
    ['an HTML page', () => '<!doctype html><script>alert(1)</script>'],
    ['a GIF that is a script, too', () => 'GIF89a/*\x00\x00*/=1;alert(1)//;'],
    ['a GIF', () => picture(32, 32).gif().toBuffer()],
    ['a TIFF', () => picture(32, 32).tiff().toBuffer()],
    ['a PNG cut off in the middle', async () => half(await noise().png().toBuffer())],
    ['a JPEG cut off in the middle', async () => half(await noise().jpeg().toBuffer())],
    ['a WebP cut off in the middle', async () => half(await noise().webp().toBuffer())],
    ['the beginning of a PNG and nothing else', () => Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['an SVG that begins like a JPEG', () => Buffer.from(`\xff\xd8\xff${svg}`, 'latin1')],
    ['an empty file', () => ''],
  ];

  it.each(refused)('refuses %s', async (_, bytes) => {
    const { status, body } = await upload({ bytes: await bytes() });
    expect({ status, code: body.code, fields: body.errors?.map(({ field }) => field) }).toEqual({
      status: 422,
      code: 'VALIDATION_FAILED',
      fields: ['file'],
    });
    expect(stored).toEqual([]);
  });

  it.each([
    ['a bomb of 900 million pixels', () => pngOf(30_000, 30_000)],
    ['an interlaced picture that would fill the memory', () => pngOf(7000, 5000, true)],
  ])('refuses %s before it is decoded', async (_, bytes) => {
    const { status, body } = await upload({ bytes: bytes() });
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      {
        field: 'file',
        message: 'file has too many pixels: send a smaller picture, such as 2000 × 2000.',
      },
    ]);
  });

  it('refuses a file of 5 MB and a byte, and takes one of 5 MB', async () => {
    const jpeg = await picture().jpeg().toBuffer();
    const filled = (size: number) => Buffer.concat([jpeg, Buffer.alloc(size - jpeg.length)]);
    expect((await upload({ bytes: filled(5 * megabyte) })).status).toBe(200);
    const { status, body } = await upload({ bytes: filled(5 * megabyte + 1) });
    expect({ status, code: body.code }).toEqual({ status: 413, code: 'BODY_TOO_LARGE' });
    expect(stored).toHaveLength(1);
  });

  it('refuses a large body before it reads it', async () => {
    const { status } = await upload({ bytes: Buffer.alloc(9 * megabyte) });
    expect(status).toBe(413);
  });

  it('refuses two files, another field, a text, and none', async () => {
    const bytes = await picture().png().toBuffer();
    expect(await faults({ bytes }, { bytes })).toEqual({ status: 422, fields: ['file'] });
    expect(await faults({ bytes, name: 'avatar' })).toEqual({ status: 422, fields: ['avatar'] });
    expect(await faults()).toEqual({ status: 422, fields: ['file'] });
    const form = formOf([]);
    form.append('role', 'admin');
    const text = await system.fetch(path, {
      method: 'POST',
      headers: { authorization },
      body: form,
    });
    expect(text.status).toBe(422);
    expect(await text.json()).toMatchObject({ errors: [{ field: 'role' }] });
    expect(stored).toEqual([]);
  });

  it.each([
    ['application/json', '{"file":"x"}'],
    ['image/png', 'x'],
    [undefined, undefined],
  ])('refuses a body of type %s', async (type, body) => {
    const answer = await system.fetch(path, {
      method: 'POST',
      headers: { authorization, ...(type && { 'content-type': type }) },
      body,
    });
    expect(answer.status).toBe(415);
    expect(admitted).toBe(0);
  });

  it.each(['multipart/form-data', 'multipart/form-data; boundary=x'])(
    'refuses a body that is not what %s says',
    async (type) => {
      const answer = await system.fetch(path, {
        method: 'POST',
        headers: { authorization, 'content-type': type },
        body: 'nonsense',
      });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ code: 'MALFORMED_REQUEST' });
    },
  );

  it('is for nobody without a token, whose body is not read', async () => {
    const body = formOf([{ bytes: Buffer.alloc(megabyte) }]);
    expect((await system.fetch(path, { method: 'POST', body })).status).toBe(401);
    expect(admitted).toBe(0);
  });

  it('ends at the quota, before the picture is looked at', async () => {
    quota = 1;
    const bytes = await picture().png().toBuffer();
    expect((await upload({ bytes })).status).toBe(200);
    const { status, headers } = await upload({ bytes });
    expect({ status, retry: headers.get('retry-after') }).toEqual({ status: 429, retry: '60' });
    expect(stored).toHaveLength(1);
  });

  it('is not taken by a route that wants JSON', async () => {
    const answer = await system.fetch('/api/v1/users/me', {
      method: 'PATCH',
      headers: { authorization },
      body: formOf([{ bytes: 'x' }]),
    });
    expect(answer.status).toBe(415);
  });

  it('works while other clients send a byte now and then, or break off', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, (_, at) => begin(100 + at)));
    const bytes = await picture().png().toBuffer();
    expect((await upload({ bytes })).status).toBe(200);
    for (const { socket } of clients) socket.resetAndDestroy();
    expect((await upload({ bytes })).status).toBe(200);
    expect(stored.map(({ user_id }) => user_id)).toEqual([ada.user_id, ada.user_id]);
    const ready = await system.fetch('/health/live');
    expect(ready.status).toBe(200);
  });

  it('replaces the one that a client broke off and tries again', async () => {
    const first = await begin(ada.user_id);
    expect((await upload({ bytes: await picture().png().toBuffer() })).status).toBe(200);
    await eventually('the first upload to be refused', () =>
      first.received().includes(' 409 ') ? true : undefined,
    );
    first.socket.destroy();
  });
});

/** An upload of a user that sends its beginning and then nothing. */
async function begin(userId: number) {
  const { hostname, port } = new URL(system.url);
  const bearer = await token({ caller: { ...ada, user_id: userId, session_id: userId } });
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.on('data', (bytes) => (received += bytes.toString()));
  socket.on('error', () => {});
  const before = admitted;
  socket.write(
    [
      `POST ${path} HTTP/1.1`,
      `host: ${hostname}:${port}`,
      `authorization: Bearer ${bearer}`,
      'content-type: multipart/form-data; boundary=b',
      'content-length: 1000000',
      '',
      '--b',
      'content-disposition: form-data; name="file"; filename="a.png"',
      '',
      'x'.repeat(50_000),
    ].join('\r\n'),
  );
  await eventually('the upload to be admitted', () => (admitted > before ? true : undefined));
  return { socket, received: () => received };
}

function half(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length / 2);
}

/** A picture that does not compress to a few bytes. */
function noise(): Sharp {
  return sharp({
    create: {
      width: 200,
      height: 200,
      channels: 3,
      background: 'white',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });
}

describe('an uploaded picture', () => {
  it('is served as WebP that runs nothing, for a day to everybody', async () => {
    const answer = await system.fetch('/avatars/AAAAAAAAAAAAAAAAAAAAAA.webp');
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'image/webp',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'public, max-age=86400, immutable',
    });
    expect(await answer.text()).toBe('RIFF0000WEBP');
  });

  it.each(['BBBBBBBBBBBBBBBBBBBBBB', '..%2f..%2fetc', 'short', 'x'.repeat(23)])(
    'does not exist at %s, and nobody keeps that answer',
    async (key) => {
      const answer = await system.fetch(`/avatars/${key}.webp`);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('content-type')).toContain('application/json');
    },
  );

  it('is removed by its user', async () => {
    const answer = await system.fetch(path, { method: 'DELETE', headers: { authorization } });
    expect(answer.status).toBe(204);
  });
});

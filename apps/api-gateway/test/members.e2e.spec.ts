import { request as httpRequest } from 'node:http';
import { ApplicationError, type MemberRow, Members } from '@mentorhub/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const header = 'email,first_name,last_name,membershiptype';
const path = '/api/v1/admin/members/import';

let system: System;
let bearer: string;
/** What identity got. */
let rows: MemberRow[];
let finished: { complete: boolean; failed: number }[];
let atOnce: { now: number; most: number };
/** Called for each batch; may throw. */
let onBatch: (batch: MemberRow[]) => void | Promise<void>;

const maxImportBytes = 2 * 1024 ** 2;

beforeAll(async () => {
  const identity = [
    respond(Members.list, (_, query) => ({
      items: [],
      total: 0,
      page: query.page ?? 1,
      pages: 1,
    })),
    respond(Members.beginImport, () => ({ import_id: 'one' })),
    respond(Members.importRows, async (_, batch) => {
      atOnce.now += 1;
      atOnce.most = Math.max(atOnce.most, atOnce.now);
      await onBatch(batch.rows);
      rows.push(...batch.rows);
      atOnce.now -= 1;
      const twice = batch.rows.filter(({ email }) => email.startsWith('twice'));
      return {
        created: batch.rows.length - twice.length,
        updated: 0,
        errors: twice.map(({ line }) => ({ line, message: 'email is on line 2 already.' })),
      };
    }),
    respond(Members.finishImport, (_, { complete, failed }) => {
      finished.push({ complete, failed });
    }),
  ];
  system = await startSystem(identity, { MAX_IMPORT_BYTES: String(maxImportBytes) });
  bearer = await token({ caller: { ...ada, roles: ['student', 'admin'] } });
});

beforeEach(() => {
  rows = [];
  finished = [];
  atOnce = { now: 0, most: 0 };
  onBatch = () => undefined;
});

afterAll(() => system.close());

function upload(
  body: NonNullable<RequestInit['body']>,
  type?: string,
  authorization = bearer,
): Promise<Response> {
  return system.fetch(path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${authorization}`,
      ...(type !== undefined && { 'content-type': type }),
    },
    body,
  });
}

function form(csv: string, field = 'file'): FormData {
  const data = new FormData();
  data.append('note', 'before the file');
  data.append(field, new Blob([csv], { type: 'application/vnd.ms-excel' }), 'members.csv');
  return data;
}

describe('an upload of members', () => {
  it('is taken as the body', async () => {
    const response = await upload(
      `\uFEFF${header}\nada@example.com,Ada,Lovelace,Mentor\nnobody\n`,
      'text/csv; charset=utf-8',
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.json()).toEqual({
      created: 1,
      updated: 0,
      errors: [{ line: 3, message: expect.stringContaining('has 1 fields') }],
      error_count: 1,
    });
    expect(rows.map(({ email }) => email)).toEqual(['ada@example.com']);
    expect(finished).toEqual([{ complete: true, failed: 1 }]);
  });

  it('is taken as a field of a form', async () => {
    const response = await upload(form(`${header}\nada@example.com,Ada,Lovelace,Mentor\n`));
    expect(await response.json()).toEqual({ created: 1, updated: 0, errors: [], error_count: 0 });
  });

  it('goes to identity batch after batch, one at a time, and lists the first 1000 errors by line', async () => {
    const lines = Array.from({ length: 12_000 }, (_, n) =>
      n % 4 === 0 ? 'bad' : `${n % 4 === 1 ? 'twice' : 'once'}${n}@example.com,A,B,mentee`,
    );
    const response = await upload([header, ...lines].join('\n'), 'text/csv');
    const answer = (await response.json()) as { errors: { line: number }[] };
    expect(answer).toMatchObject({ created: 6000, updated: 0, error_count: 6000 });
    expect(answer.errors).toHaveLength(1000);
    const order = answer.errors.map(({ line }) => line);
    expect(order).toEqual(order.toSorted((one, other) => one - other));
    expect(rows).toHaveLength(9000);
    expect(atOnce.most).toBe(1);
  });

  it('is refused with 422 when its first line does not name the columns, before anything is imported', async () => {
    const response = await upload('name,mail\nAda,ada@example.com\n', 'text/csv');
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'file', message: expect.stringContaining('does not name email') }],
    });
    expect(finished).toEqual([]);
  });

  it.each([
    ['no file', () => upload(form(header, 'other')), 422, 'VALIDATION_FAILED'],
    ['JSON', () => upload('{}', 'application/json'), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['text', () => upload(header, 'text/plain'), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a form without a boundary',
      () => upload(header, 'multipart/form-data'),
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'a form that ends too soon',
      () =>
        upload(
          `--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${header}\na@b.example,A,B,`,
          'multipart/form-data; boundary=x',
        ),
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'more bytes than allowed',
      () => upload(`${header}\n${'x'.repeat(maxImportBytes + 8192)}`, 'text/csv'),
      413,
      'BODY_TOO_LARGE',
    ],
  ])('with %s is refused', async (_what, send, status, code) => {
    const response = await send();
    expect({ status: response.status, ...((await response.json()) as object) }).toMatchObject({
      status,
      code,
    });
  });

  it('of unknown length is refused once it is too long, and says how far it got', async () => {
    const line = 'ada@example.com,Ada,Lovelace,Mentor\n'.repeat(1000);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent === 0) controller.enqueue(Buffer.from(`${header}\n`));
        else if (sent < 80) controller.enqueue(Buffer.from(line));
        else controller.close();
        sent += 1;
      },
    });
    const response = await system.fetch(path, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'text/csv' },
      body,
      duplex: 'half',
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({
      detail: expect.stringMatching(/The rows up to line \d+ are imported/),
    });
    expect(finished).toEqual([{ complete: false, failed: 0 }]);
  });

  it('is for administrators', async () => {
    const response = await upload(form(header), undefined, await token());
    expect(response.status).toBe(403);
    expect((await system.fetch(path, { method: 'POST', body: form(header) })).status).toBe(401);
    const list = await system.as(await token(), 'GET', '/api/v1/admin/members');
    expect(list.status).toBe(403);
  });

  it('says how far it got when identity fails in between', async () => {
    onBatch = (batch) => {
      if (batch[0]!.line > 2) {
        throw new ApplicationError('SERVICE_UNAVAILABLE', 'Not available.', {
          retryAfterSeconds: 1,
        });
      }
    };
    const lines = Array.from({ length: 2500 }, (_, n) => `once${n}@example.com,A,B,mentee`);
    const response = await upload([header, ...lines].join('\n'), 'text/csv');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      detail:
        'Not available. The rows up to line 1001 are imported; importing the file again adds the others.',
    });
    expect(finished).toEqual([{ complete: false, failed: 0 }]);
  });

  it.each(['text/csv', 'multipart/form-data; boundary=x'])(
    'as %s whose client goes away ends, and the gateway serves on',
    async (type) => {
      const begun = vi.waitFor(() => expect(rows.length).toBeGreaterThan(0), { timeout: 10_000 });
      const client = httpRequest(new URL(path, system.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}`, 'content-type': type },
      });
      client.on('error', () => undefined);
      if (type !== 'text/csv') {
        client.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n');
      }
      client.write(`${header}\n${'once@example.com,A,B,mentee\n'.repeat(3000)}`);
      await begun;
      client.destroy();
      await vi.waitFor(() => expect(finished).toEqual([{ complete: false, failed: 0 }]), {
        timeout: 10_000,
      });
      expect((await system.as(bearer, 'GET', '/api/v1/admin/members?page=2')).status).toBe(200);
    },
  );

  it('that stops to arrive is answered when its time is over, and the gateway serves on', async () => {
    const slow = await startSystem(
      [
        respond(Members.beginImport, () => ({ import_id: 'slow' })),
        respond(Members.importRows, () => ({ created: 0, updated: 0, errors: [] })),
        respond(Members.finishImport, (_, { complete, failed }) => {
          finished.push({ complete, failed });
        }),
      ],
      { REQUEST_TIMEOUT_MS: '1000' },
    );
    try {
      const client = httpRequest(new URL(path, slow.url), {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'text/csv' },
      });
      client.on('error', () => undefined);
      client.write(`${header}\n${'once@example.com,A,B,mentee\n'.repeat(3000)}`);
      const answered = new Promise<number | undefined>((resolve) => {
        client.on('response', ({ statusCode }) => resolve(statusCode));
      });
      await vi.waitFor(() => expect(finished).toEqual([{ complete: false, failed: 0 }]), {
        timeout: 10_000,
      });
      expect(await answered).toBe(408);
      client.destroy();
      expect((await slow.fetch('/health/live')).status).toBe(200);
    } finally {
      await slow.close();
    }
  });
});

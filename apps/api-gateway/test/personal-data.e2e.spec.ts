import { connect } from 'node:net';
import {
  ApplicationError,
  Erasure,
  personalData,
  PersonalDataExports,
  type PersonalDataPart,
  type PersonalDataService,
  personalDataServices,
} from '@mentorhub/contracts';
import { eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const path = '/api/v1/users/me/export';

type Collect = (request: { user_id: number; cursor?: string }) => PersonalDataPart;

/** What the services answer; one that has no answer here holds nothing. */
const answers = new Map<PersonalDataService, Collect>();
const asked: string[] = [];
let erased: number[] = [];

let system: System;
let authorization: string;

beforeAll(async () => {
  system = await startSystem([
    respond(PersonalDataExports.begin, () => ({ exported_at: '2026-11-25T12:00:00.000Z' })),
    respond(Erasure.erase, ({ user_id }, { device }) => {
      if (device.ip === '') throw new Error('No device.');
      erased.push(user_id);
    }),
    ...personalDataServices.map((service) =>
      respond(personalData(service).collect, (_, request) => {
        asked.push(`${service} ${request.user_id} ${request.cursor ?? ''}`);
        return answers.get(service)?.(request) ?? { sections: [], next: null };
      }),
    ),
  ]);
  authorization = `Bearer ${await token()}`;
});

afterAll(() => system.close());

beforeEach(() => {
  answers.clear();
  asked.length = 0;
  erased = [];
});

const get = () => system.fetch(path, { headers: { authorization } });

/** A chat without an end. */
const endless: Collect = ({ cursor = '0:0' }) => {
  const at = Number(cursor.split(':')[1]);
  return {
    sections: [{ name: 'messages', items: [`${at} ${'x'.repeat(250_000)}`] }],
    next: `0:${at + 1}`,
  };
};

const partsOfChat = () => asked.filter((one) => one.startsWith('chat')).length;

describe('the export of personal data', () => {
  it('is one JSON file with what every service holds, part by part', async () => {
    answers.set('identity', () => ({
      sections: [
        { name: 'profile', items: [{ id: 7, full_name: 'Ada “Countess”' }] },
        { name: 'sessions', items: [] },
      ],
      next: null,
    }));
    answers.set('chat', ({ cursor }) => {
      const parts: Record<string, PersonalDataPart> = {
        '': { sections: [{ name: 'messages', items: [] }], next: '0:' },
        '0:': { sections: [{ name: 'messages', items: [1, 2] }], next: '0:2' },
        '0:2': {
          sections: [
            { name: 'messages', items: [3] },
            { name: 'reads', items: [] },
          ],
          next: '1:',
        },
        '1:': { sections: [{ name: 'reads', items: [{ at: 4 }] }], next: null },
      };
      return parts[cursor ?? '']!;
    });
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': 'attachment; filename="mentorhub-personal-data.json"',
      'cache-control': 'no-store',
    });
    expect(await answer.json()).toEqual({
      exported_at: '2026-11-25T12:00:00.000Z',
      user_id: ada.user_id,
      identity: { profile: [{ id: 7, full_name: 'Ada “Countess”' }], sessions: [] },
      mentorship: {},
      chat: { messages: [1, 2, 3], reads: [{ at: 4 }] },
      notifications: {},
      payments: {},
    });
    expect(asked.every((one) => one.split(' ')[1] === String(ada.user_id))).toBe(true);
  });

  it('is not begun while a service is away', async () => {
    answers.set('payments', () => {
      throw new ApplicationError('SERVICE_UNAVAILABLE', 'Away.', { retryAfterSeconds: 1 });
    });
    const answer = await get();
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('content-disposition')).toBeNull();
    expect(await answer.json()).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  it('ends visibly unfinished when a service goes away in the middle', async () => {
    answers.set('mentorship', ({ cursor }) => {
      if (cursor === undefined) {
        return { sections: [{ name: 'bookings', items: ['x'.repeat(100_000)] }], next: '0:1' };
      }
      throw new ApplicationError('SERVICE_UNAVAILABLE', 'Away.');
    });
    const answer = await get();
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow('terminated');
    expect((await get()).status).toBe(200);
  });

  it('is asked for as fast as it is read, and forgotten when its reader leaves', async () => {
    answers.set('chat', endless);
    const { hostname, port } = new URL(system.url);
    const socket = connect(Number(port), hostname);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
      if (received > 500_000) socket.pause();
    });
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${authorization}\r\n\r\n`,
    );
    await eventually('the export to flow', () => (received > 500_000 ? true : undefined));
    // What does not fit into the buffers on the way is not asked for.
    let before = -1;
    await eventually('the export to pause', async () => {
      const still = partsOfChat() === before;
      before = partsOfChat();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return still ? true : undefined;
    });
    expect(before).toBeLessThan(100);
    socket.destroy();
    answers.clear();
    expect((await get()).status).toBe(200);
  });

  it('is refused beyond a number at a time, and the number goes down again', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const slow = await startSystem([
      respond(PersonalDataExports.begin, async () => {
        await held;
        return { exported_at: '2026-11-25T12:00:00.000Z' };
      }),
      ...personalDataServices.map((service) =>
        respond(personalData(service).collect, () => ({ sections: [], next: null })),
      ),
    ]);
    const ask = () => slow.fetch(path, { headers: { authorization } });
    const first = Array.from({ length: 17 }, ask);
    const refused = await Promise.race(first.map((one) => one.then(({ status }) => status)));
    expect(refused).toBe(503);
    release();
    const statuses = (await Promise.all(first)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(16);
    await Promise.all((await Promise.all(first)).map((answer) => answer.text()));
    expect((await ask()).status).toBe(200);
    await slow.close();
  });
});

describe('erasing an account', () => {
  it('is a DELETE of oneself, without a body', async () => {
    const answer = await system.fetch('/api/v1/users/me', {
      method: 'DELETE',
      headers: { authorization },
    });
    expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 204, body: '' });
    expect(erased).toEqual([ada.user_id]);
  });

  it('is not for the signed-out', async () => {
    expect((await system.fetch('/api/v1/users/me', { method: 'DELETE' })).status).toBe(401);
  });
});

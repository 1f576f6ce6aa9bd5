import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSystem, type System } from './fixture.js';

let system: System;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(() => system.close());

const avatarOf = async (seed: string) => (await system.fetch(`/avatars/${seed}.svg`)).text();

describe('an avatar', () => {
  it('is a square picture, the same for a seed and another one for another', async () => {
    const answer = await system.fetch('/avatars/anna-sokolova.svg');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    const picture = await answer.text();
    expect(picture).toMatch(/^<svg [^>]*width="256" height="256"/);
    expect(picture).toMatch(/<path d="M[^"]+" fill="#[\da-f]{6}"/);
    expect(await avatarOf('anna-sokolova')).toBe(picture);
    expect(await avatarOf('anna-sokolov')).not.toBe(picture);
  });

  it('may be kept by everybody for good', async () => {
    const { headers } = await system.fetch('/avatars/ada.svg');
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it('runs and loads nothing, opened by itself', async () => {
    const { headers } = await system.fetch('/avatars/ada.svg');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(await avatarOf('ada')).not.toMatch(/<script|href|url\((?!#)| on\w+=/);
  });

  it('says whose work its style is: nobody’s, for everybody', async () => {
    expect(await avatarOf('ada')).toContain('creativecommons.org/publicdomain/zero/1.0');
  });

  it.each(['Ada', 'a.b', 'a%20b', '%3Cscript%3E', 'a'.repeat(65), '%2e%2e%2fada'])(
    'does not exist for the seed %s, and nobody keeps that answer',
    async (seed) => {
      const answer = await system.fetch(`/avatars/${seed}.svg`);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.json()).toMatchObject({ code: 'NOT_FOUND' });
    },
  );
});

import { assert, json, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText } from './json-body.js';

const nested = (levels: number): Buffer =>
  Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);

describe('jsonText', () => {
  it('takes 32 levels and refuses 33', () => {
    expect(jsonText(nested(32))).toHaveLength(64);
    expect(() => jsonText(nested(33))).toThrow(/32 levels/);
  });

  it('does not count brackets inside of texts', () => {
    const text = JSON.stringify({ text: `${'['.repeat(100)}\\"${'{'.repeat(100)}` });
    expect(jsonText(Buffer.from(text))).toBe(text);
  });

  it('gives back whatever JSON of moderate depth it gets', () => {
    assert(
      property(json({ maxDepth: 10 }), (text) => {
        expect(jsonText(Buffer.from(text))).toBe(text);
      }),
    );
  });

  it('refuses what is not UTF-8', () => {
    expect(() => jsonText(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow(/UTF-8/);
  });
});

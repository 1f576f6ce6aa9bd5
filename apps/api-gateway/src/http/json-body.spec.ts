import { assert, json, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from './json-body.js';

const nested = (levels: number): Buffer =>
  Buffer.from(`${'['.repeat(levels)}${']'.repeat(levels)}`);

const list = (length: number): Buffer => Buffer.from(JSON.stringify(Array(length).fill(0)));

describe('parseJson', () => {
  it('takes 32 levels and refuses 33', () => {
    expect(parseJson(nested(32))).toHaveLength(1);
    expect(() => parseJson(nested(33))).toThrow(/32 levels/);
  });

  it('takes some thousand values and refuses more, fields and entries alike', () => {
    expect(parseJson(list(9000))).toHaveLength(9000);
    expect(() => parseJson(list(10_000))).toThrow(/10000 values/);
    const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, key) => [`k${key}`, 0]));
    expect(() => parseJson(Buffer.from(JSON.stringify(fields)))).toThrow(/10000 values/);
  });

  it('does not count what stands inside of texts', () => {
    const value = { text: `${'['.repeat(100)}\\"${'{,'.repeat(20_000)}` };
    expect(parseJson(Buffer.from(JSON.stringify(value)))).toEqual(value);
  });

  it('gives back whatever JSON of moderate depth it gets', () => {
    assert(
      property(json({ maxDepth: 10 }), (text) => {
        expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses what is not UTF-8, and what is not JSON', () => {
    expect(() => parseJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow(/UTF-8/);
    expect(() => parseJson(Buffer.from('{"a":'))).toThrow(/not valid JSON/);
  });

  it('gives a field that is called __proto__ no meaning', () => {
    const value = parseJson(Buffer.from('{"__proto__":{"admin":true}}')) as { admin?: boolean };
    expect(value.admin).toBeUndefined();
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});

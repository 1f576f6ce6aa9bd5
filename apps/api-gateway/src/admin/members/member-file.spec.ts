import { Readable } from 'node:stream';
import type { ImportFault, MemberRow } from '@mentorhub/contracts';
import * as parser from 'csv-parse/sync';
import { array, assert, asyncProperty, integer, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMembers } from './member-file.js';

const header = 'email,first_name,last_name,membershiptype';

/** Pieces of `size` bytes, as an upload brings them. */
function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(
  file: string | Buffer,
  pieceSize = 64 * 1024,
): Promise<{ rows: MemberRow[]; faults: ImportFault[] }> {
  const rows: MemberRow[] = [];
  const faults: ImportFault[] = [];
  const source = Readable.from(cut(Buffer.from(file), pieceSize));
  for await (const batch of readMembers(source, parser)) {
    rows.push(...batch.rows);
    faults.push(...batch.faults);
  }
  return { rows, faults };
}

const ada = {
  email: 'ada@example.com',
  first_name: 'Ada',
  last_name: 'Lovelace',
  membershiptype: 'Mentor',
};
const adaLine = 'ada@example.com,Ada,Lovelace,Mentor';

describe('a file of members', () => {
  it.each([
    ['as RFC 4180 has it', `${header}\r\n${adaLine}\r\n`],
    ['without a line break at its end', `${header}\n${adaLine}`],
    ['with a byte order mark', `\uFEFF${header}\n${adaLine}\n`],
    ['with semicolons', `${header}\n${adaLine}\n`.replaceAll(',', ';')],
    [
      'with quotes',
      `"email","first_name",last_name,membershiptype\n"ada@example.com",Ada,"Lovelace",Mentor\n`,
    ],
    [
      'with other columns, in another order',
      'membershiptype,id,Email , FIRST_NAME,last_name\nMentor,7,ada@example.com,Ada,Lovelace\n',
    ],
    [
      'with spaces and capitals around it',
      `${header}\n Ada@Example.COM ,  Ada,Lovelace\t, Mentor \n`,
    ],
    ['with separators at the end of its rows', `${header}\n${adaLine},,\n`],
  ])('is read %s', async (_how, file) => {
    const { rows, faults } = await read(file);
    expect(faults).toEqual([]);
    expect(rows).toEqual([{ line: 2, ...ada }]);
  });

  it('may have separators, quotes and line breaks within quotes; lines are counted on', async () => {
    const { rows, faults } = await read(
      `${header}\n"ada@example.com","Ada\r\nAugusta","King, \n""Countess""","mentor, mentee"\n\nbob@example.com,Bob,,\n`,
    );
    expect(faults).toEqual([]);
    expect(rows).toEqual([
      {
        line: 2,
        email: 'ada@example.com',
        first_name: 'Ada Augusta',
        last_name: 'King, "Countess"',
        membershiptype: 'mentor, mentee',
      },
      { line: 6, email: 'bob@example.com', first_name: 'Bob', last_name: '', membershiptype: '' },
    ]);
  });

  it.each([
    ['too few fields', 'ada@example.com,Ada,Lovelace', /has 3 fields, and the first line 4/],
    ['too many fields', 'ada@example.com,Ada,King, Lovelace,Mentor', /has 5 fields/],
    ['no address', ',Ada,Lovelace,Mentor', /email is missing/],
    [
      'something else for an address',
      'ada at example.com,Ada,Lovelace,Mentor',
      /must be an email address/,
    ],
    [
      'an address that is too long',
      `${'a'.repeat(250)}@example.com,Ada,Lovelace,Mentor`,
      /at most 254/,
    ],
    [
      'names that are too long',
      `ada@example.com,${'A'.repeat(60)},${'L'.repeat(60)},Mentor`,
      /at most 120 characters together/,
    ],
    [
      'an address in the name',
      'ada@example.com,Visit evil.example,Lovelace,Mentor',
      /first_name must be a name without web/,
    ],
    [
      'a control character in the name',
      'ada@example.com,Ada\u0007,Lovelace,Mentor',
      /first_name must not contain/,
    ],
    [
      'a type that is too long',
      `ada@example.com,Ada,Lovelace,${'m'.repeat(101)}`,
      /membershiptype must have at most 100/,
    ],
    ['a zero in the type', 'ada@example.com,Ada,Lovelace,Men\u0000tor', /control characters/],
    [
      'bytes that are not UTF-8',
      Buffer.from('ada@example.com,Andr\xe9,Lovelace,Mentor', 'latin1'),
      /first_name is not UTF-8/,
    ],
    ['a quote that is never closed', '"ada@example.com,Ada,Lovelace,Mentor', /not closed/],
    [
      'text behind a quote',
      'ada@example.com,"Ada"x,Lovelace,Mentor',
      /not closed, or text follows it/,
    ],
    ['a quote within a field', 'ada@example.com,Ada "A",Lovelace,Mentor', /a quote in it/],
    ['no end', `ada@example.com,${'A'.repeat(100_000)},Lovelace,Mentor`, /more than 8192 bytes/],
  ])('with %s in a line is read but for that line', async (_what, line, message) => {
    const file = Buffer.concat([
      Buffer.from(`${header}\nbob@example.com,Bob,B,\n`),
      Buffer.from(line),
      Buffer.from('\ncleo@example.com,Cleo,C,\n"dan@example.com","Dan",D,\n'),
    ]);
    for (const pieceSize of [64 * 1024, 7]) {
      const { rows, faults } = await read(file, pieceSize);
      expect(faults).toEqual([{ line: 3, message: expect.stringMatching(message) }]);
      expect(rows.map((row) => [row.line, row.email])).toEqual([
        [2, 'bob@example.com'],
        [4, 'cleo@example.com'],
        [5, 'dan@example.com'],
      ]);
    }
  });

  it.each([
    ['', /The file is empty/],
    ['\n\n', /The file is empty/],
    ['ada@example.com,Ada,Lovelace,Mentor\n', /Line 1 does not name email, first_name/],
    ['email,first_name,last_name\n', /Line 1 does not name membershiptype/],
    [`${header},email\n`, /names email twice/],
    ['"email\n', /quote/],
    ['x'.repeat(20_000), /more than 8192 bytes/],
  ])('that begins with %.40s is refused', async (file, message) => {
    await expect(read(file)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'file', message: expect.stringMatching(message) }],
    });
  });

  it('is read in batches that fit into a request, however wide its rows are', async () => {
    const wide = `"${'я'.repeat(60)}","${'ю'.repeat(59)}",${'ы'.repeat(100)}`;
    const lines = Array.from({ length: 3000 }, (_, n) => `person${n}@example.com,${wide}`);
    const source = Readable.from(cut(Buffer.from([header, ...lines].join('\n')), 64 * 1024));
    let count = 0;
    for await (const { rows } of readMembers(source, parser)) {
      count += rows.length;
      expect(Buffer.byteLength(JSON.stringify(rows))).toBeLessThan(512 * 1024);
    }
    expect(count).toBe(3000);
  });

  it('gives each line once, as a row or as a fault, whatever is in it and however it is cut', async () => {
    const field = string({ unit: 'grapheme', maxLength: 8 });
    await assert(
      asyncProperty(
        array(array(field, { maxLength: 5 }), { maxLength: 30 }),
        integer({ min: 1, max: 200 }),
        async (records, pieceSize) => {
          const lines = records.map((fields) => fields.join(',').replaceAll(/[\r\n]/g, ''));
          const file = [header, ...lines, adaLine].join('\n');
          const { rows, faults } = await read(file, pieceSize);
          const whole = await read(file);
          expect({ rows, faults }).toEqual(whole);
          const given = [...rows, ...faults].map(({ line }) => line);
          expect(new Set(given).size).toBe(given.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

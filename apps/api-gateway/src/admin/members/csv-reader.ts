import { isUtf8 } from 'node:buffer';
import type { Options } from 'csv-parse/sync';

/** `csv-parse/sync`, loaded when the first file comes. */
export type CsvParser = typeof import('csv-parse/sync');

/** A record of a file, or what is wrong with the line where one should begin. A cell that is not UTF-8 is undefined. */
export type CsvRecord =
  | { readonly line: number; readonly cells: readonly (string | undefined)[] }
  | { readonly line: number; readonly fault: string };

/** Longest record, in bytes. */
const maxRecordBytes = 8192;
/** How much is collected before it is parsed, so that a slow upload is not parsed byte by byte. */
const blockBytes = 4 * maxRecordBytes;
const newline = 0x0a;

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

const tooLong = `the row has more than ${maxRecordBytes} bytes.`;

const notClosed =
  'a quote that opens in this row is not closed, or text follows it: write two quotes where a field has one.';

/** By the code of the parser's error. */
const faults = new Map([
  ['CSV_QUOTE_NOT_CLOSED', notClosed],
  ['CSV_INVALID_CLOSING_QUOTE', notClosed],
  [
    'INVALID_OPENING_QUOTE',
    'a field has a quote in it: put the field in quotes, and write two where it has one.',
  ],
  ['CSV_MAX_RECORD_SIZE', tooLong],
]);

/**
 * Reads a CSV file (RFC 4180) piece by piece, with as much memory as one block takes. A line that cannot be read, such
 * as one whose quote is never closed, is reported, and reading goes on at the next line: it takes none of the others
 * along. Empty lines count, and are no records.
 */
export class CsvReader {
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** Of what is pending. */
  private line = 1;
  private atStart = true;
  /** Within a line that is too long, and was reported. */
  private skipping = false;
  private readonly options: Options;

  constructor(
    private readonly parser: CsvParser,
    delimiter: string,
  ) {
    this.options = {
      delimiter,
      record_delimiter: ['\r\n', '\n'],
      relax_column_count: true,
      max_record_size: maxRecordBytes,
    };
  }

  /** What can be read now. */
  push(bytes: Buffer): CsvRecord[] {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    return this.pendingBytes < blockBytes ? [] : this.read(false);
  }

  /** What is left. */
  end(): CsvRecord[] {
    return this.read(true);
  }

  private read(isLast: boolean): CsvRecord[] {
    let bytes: Buffer = Buffer.concat(this.pending);
    if (this.atStart && bytes.subarray(0, 3).equals(byteOrderMark)) bytes = bytes.subarray(3);
    this.atStart = false;
    const records: CsvRecord[] = [];
    if (this.skipping) bytes = this.skipLine(bytes);
    // The last line may go on in the next piece.
    const end = isLast ? bytes.length : bytes.lastIndexOf(newline) + 1;
    const rest = this.parse(bytes.subarray(0, end), isLast, records);
    let left = bytes.subarray(end - rest);
    if (left.length > maxRecordBytes && !left.includes(newline)) {
      records.push({ line: this.line, fault: tooLong });
      this.skipping = true;
      left = left.subarray(left.length);
    }
    // A copy: the rest of the block need not stay.
    this.pending = [Buffer.from(left)];
    this.pendingBytes = left.length;
    return records;
  }

  /** What follows the line that is skipped; empty as long as that goes on. */
  private skipLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf(newline);
    if (end === -1) return bytes.subarray(bytes.length);
    this.skipping = false;
    this.line += 1;
    return bytes.subarray(end + 1);
  }

  /** Adds the records of whole lines. Gives the number of bytes at the end that may go on in the next piece. */
  private parse(block: Buffer, isLast: boolean, records: CsvRecord[]): number {
    return this.parsePlain(block, records) ? 0 : this.parseRecords(block, isLast, records);
  }

  /** Does so at once for a block that is all well, as most are; otherwise not at all. */
  private parsePlain(block: Buffer, records: CsvRecord[]): boolean {
    if (!isUtf8(block)) return false;
    let parsed: string[][];
    try {
      parsed = this.parser.parse(block, this.options);
    } catch (error) {
      if (error instanceof this.parser.CsvError) return false;
      throw error;
    }
    const lines = newlinesIn(block) + (block.at(-1) === newline ? 0 : 1);
    // Fewer records than lines: some have line breaks in them.
    if (parsed.length !== lines && block.length > 0) return false;
    for (const cells of parsed) {
      this.add(cells, records);
      this.line += 1;
    }
    return true;
  }

  /** Record by record, and past those that cannot be read. */
  private parseRecords(block: Buffer, isLast: boolean, records: CsvRecord[]): number {
    for (let from = 0; from < block.length;) {
      let start = from;
      try {
        this.parser.parse(block.subarray(from), {
          ...this.options,
          encoding: null,
          on_record: (record, { bytes }) => {
            // Its type does not know of `encoding: null`.
            const cells = record as unknown as Buffer[];
            this.add(
              cells.map((cell) => (isUtf8(cell) ? cell.toString() : undefined)),
              records,
            );
            const end = from + bytes;
            this.line += newlinesIn(block.subarray(start, end));
            start = end;
            return null;
          },
        });
        return 0;
      } catch (error) {
        if (!(error instanceof this.parser.CsvError)) throw error;
        if (error.code === 'CSV_QUOTE_NOT_CLOSED' && !isLast) return block.length - start;
        records.push({ line: this.line, fault: faults.get(error.code) ?? 'the row is no CSV.' });
        const end = block.indexOf(newline, start);
        from = end === -1 ? block.length : end + 1;
        this.line += 1;
      }
    }
    return 0;
  }

  /** An empty line is no record. */
  private add(cells: (string | undefined)[], records: CsvRecord[]): void {
    if (cells.length > 1 || cells[0] !== '') records.push({ line: this.line, cells });
  }
}

function newlinesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) count += 1;
  return count;
}

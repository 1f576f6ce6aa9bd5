import {
  ApplicationError,
  type ImportFault,
  longestMemberName,
  longestMembershipType,
  memberColumns,
  type MemberRow,
  mostMemberRows,
  nameFault,
} from '@mentorhub/contracts';
import { isEmailAddress } from '@mentorhub/contracts/fields';
import { type CsvParser, CsvReader, type CsvRecord } from './csv-reader.js';

type Column = (typeof memberColumns)[number];
type Row = Extract<CsvRecord, { cells: unknown }>;

/** Some rows of a file, and what is wrong with those between them that cannot be taken. */
export interface MemberBatch {
  readonly rows: MemberRow[];
  readonly faults: ImportFault[];
}

/** Keeps a request well below what NATS carries, whatever characters the rows have. */
const maxBatchBytes = 256 * 1024;
/** The first line tells how the others are separated; a longer one is no header. */
const maxHeaderBytes = 4096;

/**
 * Reads a file of members: comma-separated, or with semicolons where the header has them; UTF-8, with or without a byte
 * order mark; the columns in any order. It resolves to batches as they are read, and waits with each until it is taken.
 * @throws ApplicationError VALIDATION_FAILED when the first line does not name the columns
 */
export async function* readMembers(
  source: AsyncIterable<Buffer>,
  parser: CsvParser,
): AsyncGenerator<MemberBatch> {
  let beginning: Buffer | undefined = Buffer.alloc(0);
  let reader: CsvReader | undefined;
  let columns: Columns | undefined;
  let batch = new BatchBuilder();

  function* take(records: CsvRecord[]): Generator<MemberBatch> {
    for (const record of records) {
      if (columns) batch.add(record, columns);
      else columns = new Columns(record);
      if (batch.isFull) {
        yield batch;
        batch = new BatchBuilder();
      }
    }
  }

  for await (const piece of source) {
    let bytes = piece;
    if (beginning !== undefined) {
      beginning = Buffer.concat([beginning, piece]);
      if (!beginning.includes('\n') && beginning.length < maxHeaderBytes) continue;
      bytes = beginning;
      beginning = undefined;
    }
    reader ??= new CsvReader(parser, separatorOf(bytes));
    yield* take(reader.push(bytes));
  }
  if (!reader) {
    const bytes = beginning ?? Buffer.alloc(0);
    reader = new CsvReader(parser, separatorOf(bytes));
    yield* take(reader.push(bytes));
  }
  yield* take(reader.end());
  if (!columns) throw noHeader('The file is empty');
  yield batch;
}

/** What stands most often between the names of the first line. */
function separatorOf(bytes: Buffer): string {
  const end = bytes.indexOf('\n');
  const header = bytes.subarray(0, end === -1 ? maxHeaderBytes : end).toString('latin1');
  return header.split(';').length > header.split(',').length ? ';' : ',';
}

/** Where each column is, by the first line. */
class Columns {
  readonly count: number;
  private readonly at: Record<Column, number>;

  /** @throws ApplicationError VALIDATION_FAILED */
  constructor(header: CsvRecord) {
    if ('fault' in header) throw noHeader(`In line ${header.line} ${header.fault.slice(0, -1)}`);
    const names = header.cells.map((cell) => cell?.trim().toLowerCase() ?? '');
    this.count = names.length;
    const places = memberColumns.map((column) => [column, names.indexOf(column)] as const);
    this.at = Object.fromEntries(places) as Record<Column, number>;
    const missing = places.filter(([, at]) => at === -1).map(([column]) => column);
    if (missing.length > 0) {
      throw noHeader(`Line ${header.line} does not name ${missing.join(', ')}`);
    }
    const twice = memberColumns.find(
      (column) => names.indexOf(column) !== names.lastIndexOf(column),
    );
    if (twice !== undefined) throw noHeader(`Line ${header.line} names ${twice} twice`);
  }

  /** A column of a row, on one line; undefined when it is not UTF-8. */
  of({ cells }: Row, column: Column): string | undefined {
    const text = cells[this.at[column]]?.trim();
    return text !== undefined && /[^\S ]| {2}/.test(text) ? text.replaceAll(/\s+/g, ' ') : text;
  }
}

function noHeader(what: string): ApplicationError {
  return ApplicationError.invalid(
    'file',
    `${what}: the first line has to name the columns ${memberColumns.join(', ')}, with commas or semicolons between them.`,
  );
}

class BatchBuilder implements MemberBatch {
  readonly rows: MemberRow[] = [];
  readonly faults: ImportFault[] = [];
  private bytes = 0;

  get isFull(): boolean {
    const { rows, faults, bytes } = this;
    return rows.length + faults.length >= mostMemberRows || bytes >= maxBatchBytes;
  }

  add(record: CsvRecord, columns: Columns): void {
    const { line } = record;
    const read = 'fault' in record ? record.fault : rowOf(record, columns);
    if (typeof read === 'string') {
      this.faults.push({ line, message: read });
      return;
    }
    this.rows.push(read);
    this.bytes += read.email.length + 4 * (read.first_name.length + read.last_name.length);
    this.bytes += 4 * read.membershiptype.length;
  }
}

/** The row, or what is wrong with it. */
function rowOf(row: Row, columns: Columns): MemberRow | string {
  const { line, cells } = row;
  // Programs that export tables like to end each row with separators.
  if (cells.length < columns.count || cells.slice(columns.count).some((cell) => cell !== '')) {
    return `the row has ${cells.length} fields, and the first line ${columns.count}: put fields that have a separator or a line break in quotes.`;
  }
  const email = columns.of(row, 'email')?.toLowerCase();
  const first_name = columns.of(row, 'first_name');
  const last_name = columns.of(row, 'last_name');
  const membershiptype = columns.of(row, 'membershiptype');
  if (email === undefined) return notUtf8('email');
  if (first_name === undefined) return notUtf8('first_name');
  if (last_name === undefined) return notUtf8('last_name');
  if (membershiptype === undefined) return notUtf8('membershiptype');
  const fault =
    emailFault(email) ?? fullNameFault(first_name, last_name) ?? typeFault(membershiptype);
  return fault ?? { line, email, first_name, last_name, membershiptype };
}

function notUtf8(column: Column): string {
  return `${column} is not UTF-8: save the file as CSV in UTF-8.`;
}

function emailFault(email: string): string | undefined {
  if (email === '') return 'email is missing.';
  if (isEmailAddress(email)) return undefined;
  return 'email must be an email address such as user@example.com, of at most 254 characters.';
}

function fullNameFault(first: string, last: string): string | undefined {
  if (isLonger(`${first} ${last}`, longestMemberName)) {
    return `first_name and last_name must have at most ${longestMemberName} characters together.`;
  }
  const fault = nameFault(first);
  if (fault !== undefined) return `first_name must ${fault}.`;
  const lastFault = nameFault(last);
  return lastFault === undefined ? undefined : `last_name must ${lastFault}.`;
}

/** Counts code points, as PostgreSQL does. */
function isLonger(text: string, most: number): boolean {
  return text.length > most && Array.from(text).length > most;
}

function typeFault(type: string): string | undefined {
  if (isLonger(type, longestMembershipType)) {
    return `membershiptype must have at most ${longestMembershipType} characters.`;
  }
  return /\p{Cc}/u.test(type) ? 'membershiptype must not contain control characters.' : undefined;
}

import {
  ApplicationError,
  type Page,
  type PageRequest,
  paging,
  toPage,
} from '@mentorhub/contracts';

/** Entries that can be paged through and are counted; to see others, narrow the filters. */
export const mostListed = 10_000;

/**
 * One page of a list that may have millions of entries: only the first ones are counted, as counting all of them would
 * read them all.
 * @param read the rows of one page
 * @param count counts at most `mostListed` rows
 * @throws ApplicationError VALIDATION_FAILED for a page behind them
 */
export async function boundedPage<Item>(
  query: PageRequest,
  read: (range: { limit: number; offset: number }) => Promise<Item[]>,
  count: () => Promise<number>,
): Promise<Page<Item>> {
  const { limit, offset } = paging(query);
  if (offset + limit > mostListed) {
    throw ApplicationError.invalid(
      'page',
      `page must be within the first ${mostListed} entries: narrow the filters to see others.`,
    );
  }
  const items = await read({ limit, offset });
  return toPage(items, await count(), query);
}

/** Conditions of a query, with their values in the order of their parameters. */
export class Conditions {
  private readonly clauses: string[] = [];
  readonly values: unknown[] = [];

  /** @param clause gets the parameter of each value, `$1` */
  add(clause: (...parameters: string[]) => string, ...values: unknown[]): void {
    const first = this.values.length + 1;
    this.values.push(...values);
    this.clauses.push(clause(...values.map((_, index) => `$${first + index}`)));
  }

  /** For the end of a query. */
  get where(): string {
    return this.clauses.length === 0 ? '' : `WHERE ${this.clauses.join(' AND ')}`;
  }
}

/** One page of a list. */
export interface Page<Item> {
  items: Item[];
  /** Items on all pages. */
  total: number;
  page: number;
  pages: number;
}

/** The requested page; `PageQuery` is its DTO. */
export interface PageRequest {
  readonly page?: number;
  readonly limit?: number;
  /** Alias of `limit`. */
  readonly size?: number;
}

/** A page query made definite: what to skip and how many to take. */
export function paging(query: PageRequest): { page: number; limit: number; offset: number } {
  const page = query.page ?? 1;
  const limit = query.limit ?? query.size ?? 20;
  return { page, limit, offset: (page - 1) * limit };
}

/** Wraps the items of one page. */
export function toPage<Item>(items: Item[], total: number, query: PageRequest): Page<Item> {
  const { page, limit } = paging(query);
  return { items, total, page, pages: Math.max(1, Math.ceil(total / limit)) };
}

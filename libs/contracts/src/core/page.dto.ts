import { Id, Integer, Items, QueryInteger } from './fields.js';
import type { Page } from './paging.js';

/** Asks for one page of a list. */
export class PageQuery {
  @QueryInteger({
    min: 1,
    max: 1_000_000,
    optional: true,
    description: 'Page, from 1.',
    example: 1,
  })
  page?: number;

  @QueryInteger({
    min: 1,
    max: 100,
    optional: true,
    description: 'Items a page; default 20.',
    example: 20,
  })
  limit?: number;

  @QueryInteger({ min: 1, max: 100, optional: true, description: 'Alias of `limit`.' })
  size?: number;
}

/** The class of one page of a list: `class MentorPage extends PageOf(MentorItem) {}`. */
export function PageOf<Item extends object>(item: new () => Item): new () => Page<Item> {
  class PageOfItems implements Page<Item> {
    @Items(() => item)
    items: Item[];

    @Integer({ description: 'Items on all pages.' })
    total: number;

    @Integer()
    page: number;

    @Integer()
    pages: number;
  }
  return PageOfItems;
}

/** Names an entity by its id. */
export class ById {
  @Id({ description: 'Id.' })
  id: number;
}

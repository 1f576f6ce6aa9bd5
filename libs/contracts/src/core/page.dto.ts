import { Type } from 'class-transformer';
import { Integer } from './fields.js';

/** Asks for one page of a list. */
export class PageQuery {
  @Integer({ min: 1, max: 1_000_000, optional: true, description: 'Page, from 1.', example: 1 })
  @Type(() => Number)
  page?: number;

  @Integer({
    min: 1,
    max: 100,
    optional: true,
    description: 'Items a page; default 20.',
    example: 20,
  })
  @Type(() => Number)
  limit?: number;

  @Integer({ min: 1, max: 100, optional: true, description: 'Alias of `limit`.' })
  @Type(() => Number)
  size?: number;
}

/** Names an entity by its id. */
export class ById {
  @Integer({ min: 1, max: 2_147_483_647, description: 'Id.', example: 42 })
  @Type(() => Number)
  id: number;
}

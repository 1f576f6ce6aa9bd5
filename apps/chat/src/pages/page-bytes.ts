/** What a page may take as JSON: with what is around it well below the 1 MiB of a NATS message. */
export const maxPageBytes = 600_000;

/**
 * The first items whose JSON fits into so many bytes. At least one, however long it is: a page without any would be
 * requested again and again.
 */
export function fitting<Item>(items: readonly Item[], maxBytes: number): Item[] {
  let bytes = 0;
  const excess = items.findIndex((item, index) => {
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    return bytes > maxBytes && index > 0;
  });
  return items.slice(0, excess === -1 ? items.length : excess);
}

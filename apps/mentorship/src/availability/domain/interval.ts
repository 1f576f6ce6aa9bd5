/** A half-open span of time in Unix milliseconds: `start` belongs to it, `end` does not. */
export interface Interval {
  readonly start: number;
  readonly end: number;
}

/** Sorts intervals and joins those that overlap or touch; empty ones vanish. */
export function join(intervals: readonly Interval[]): Interval[] {
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of intervals.toSorted((a, b) => a.start - b.start)) {
    if (end <= start) continue;
    const last = joined.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else joined.push({ start, end });
  }
  return joined;
}

/** What of `intervals` lies outside of `taken`. */
export function subtract(intervals: readonly Interval[], taken: readonly Interval[]): Interval[] {
  const blocks = join(taken);
  return join(intervals).flatMap(({ start, end }) => {
    const left: Interval[] = [];
    let from = start;
    for (const block of blocks) {
      if (block.end <= from) continue;
      if (block.start >= end) break;
      if (block.start > from) left.push({ start: from, end: block.start });
      from = block.end;
    }
    if (from < end) left.push({ start: from, end });
    return left;
  });
}

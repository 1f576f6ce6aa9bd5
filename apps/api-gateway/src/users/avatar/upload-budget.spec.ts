import { describe, expect, it } from 'vitest';
import { UploadBudget } from './upload-budget.js';

describe('the memory of uploads', () => {
  it('is bounded: what does not fit is refused, and fits when another one has ended', () => {
    const budget = new UploadBudget({ mostBytes: 100, patienceMs: 60_000 });
    const first = budget.open(1);
    first.grow(80);
    const second = budget.open(2);
    second.grow(20);
    expect(() => second.grow(1)).toThrow('Too many uploads');
    first.end();
    first.end();
    second.grow(80);
    expect(() => second.grow(1)).toThrow('Too many uploads');
  });

  it('is taken from the one that takes longest, as soon as it takes too long', () => {
    const budget = new UploadBudget({ mostBytes: 100, patienceMs: 0 });
    const [slow, alsoSlow, next] = [budget.open(1), budget.open(2), budget.open(3)];
    slow.grow(60);
    alsoSlow.grow(40);
    next.grow(50);
    expect([slow.signal.aborted, alsoSlow.signal.aborted, next.signal.aborted]).toEqual([
      true,
      false,
      false,
    ]);
    expect(slow.signal.reason).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 10 });
    // What still arrives of it counts no more.
    slow.grow(1000);
    next.grow(10);
  });

  it('is not shared by two uploads of one user: the later one stays', () => {
    const budget = new UploadBudget();
    const [first, second] = [budget.open(1), budget.open(1)];
    expect(first.signal.reason).toMatchObject({ code: 'CONFLICT' });
    expect(second.signal.aborted).toBe(false);
  });
});

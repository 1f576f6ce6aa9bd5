import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  BUSY_WAIT_MS,
  LIVELY_FOR_MS,
  LIVELY_WAIT_MS,
  QUIET_WAIT_MS,
  RelayPace,
} from './relay-pace.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

describe('the outbox', () => {
  it('is looked into often while events come now and then, and seldom when none has come for a second', () => {
    const pace = new RelayPace();
    pace.note(1);
    vi.advanceTimersByTime(LIVELY_FOR_MS - 1);
    pace.note(0);
    expect(pace.waitMs).toBe(LIVELY_WAIT_MS);
    vi.advanceTimersByTime(1);
    pace.note(0);
    expect(pace.waitMs).toBe(QUIET_WAIT_MS);
    pace.note(1);
    expect(pace.waitMs).toBe(LIVELY_WAIT_MS);
  });

  it('is left to gather from 100 events a second on', () => {
    const pace = new RelayPace();
    pace.note(2);
    expect(pace.waitMs).toBe(LIVELY_WAIT_MS);
    pace.note(3);
    expect(pace.waitMs).toBe(BUSY_WAIT_MS);
    pace.note(10);
    expect(pace.waitMs).toBe(BUSY_WAIT_MS);
    pace.note(9);
    expect(pace.waitMs).toBe(LIVELY_WAIT_MS);
  });
});

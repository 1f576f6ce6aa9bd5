import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Periodic, type PeriodicWork } from './periodic.js';

const secondMs = 1000;

describe('Periodic work', () => {
  let turn: ReturnType<typeof vi.fn<PeriodicWork['turn']>>;
  let periodic: Periodic;

  const periodicWork = (options: Partial<PeriodicWork> = {}): Periodic =>
    new Periodic({
      name: 'Sweeper',
      everyMs: secondMs,
      turn,
      failure: 'Rows could not be swept',
      ...options,
    });

  /** A turn that lasts until it is ended. */
  function longTurn(): () => void {
    const end = new AbortController();
    turn.mockReturnValueOnce(once(end.signal, 'abort'));
    return () => end.abort();
  }

  beforeEach(() => {
    vi.useFakeTimers();
    turn = vi.fn<PeriodicWork['turn']>().mockResolvedValue(undefined);
    periodic = periodicWork();
  });

  afterEach(async () => {
    await periodic.stop();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  it('takes its first turn after the first pause, then one after each', async () => {
    periodic.start();
    await vi.advanceTimersByTimeAsync(secondMs - 1);
    expect(turn).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(turn).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(3 * secondMs);
    expect(turn).toHaveBeenCalledTimes(4);
  });

  it('takes its first turn at once when that is asked for', async () => {
    periodic = periodicWork({ atOnce: true });
    periodic.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(turn).toHaveBeenCalledTimes(1);
  });

  it('takes one turn at a time, however often it is started', async () => {
    periodic.start();
    periodic.start();
    const end = longTurn();
    await vi.advanceTimersByTimeAsync(10 * secondMs);
    expect(turn).toHaveBeenCalledTimes(1);
    end();
    await vi.advanceTimersByTimeAsync(secondMs);
    expect(turn).toHaveBeenCalledTimes(2);
  });

  it('takes a turn at once when woken', async () => {
    periodic.start();
    periodic.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(turn).toHaveBeenCalledTimes(1);
  });

  it('remembers a wake-up that came during a turn', async () => {
    const end = longTurn();
    periodic.start();
    periodic.wake();
    await vi.advanceTimersByTimeAsync(0);
    periodic.wake();
    periodic.wake();
    end();
    await vi.advanceTimersByTimeAsync(0);
    expect(turn).toHaveBeenCalledTimes(2);
  });

  it('logs a turn that failed and goes on', async () => {
    const log = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const failure = new Error('no such table');
    turn.mockRejectedValueOnce(failure);
    periodic.start();
    await vi.advanceTimersByTimeAsync(2 * secondMs);
    expect(turn).toHaveBeenCalledTimes(2);
    expect(log.mock.calls).toEqual([
      ['Rows could not be swept; the next turn tries again.', failure],
    ]);
  });

  it('makes no noise about a database that is away', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const debug = vi.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
    turn.mockRejectedValueOnce(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
    periodic.start();
    await vi.advanceTimersByTimeAsync(2 * secondMs);
    expect(turn).toHaveBeenCalledTimes(2);
    expect(error).not.toHaveBeenCalled();
    expect(debug.mock.calls).toEqual([['Rows could not be swept: the database is away.']]);
  });

  it('stops during a pause without another turn', async () => {
    periodic.start();
    await periodic.stop();
    periodic.wake();
    await vi.advanceTimersByTimeAsync(10 * secondMs);
    expect(turn).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('signals the current turn to stop, and waits for it', async () => {
    const end = longTurn();
    periodic.start();
    await vi.advanceTimersByTimeAsync(secondMs);
    const stopped = vi.fn<() => void>();
    const stopping = periodic.stop().then(stopped);
    await vi.advanceTimersByTimeAsync(0);
    expect(turn.mock.calls[0]?.[0].aborted).toBe(true);
    expect(stopped).not.toHaveBeenCalled();
    end();
    await stopping;
    await vi.advanceTimersByTimeAsync(10 * secondMs);
    expect(turn).toHaveBeenCalledTimes(1);
  });

  it('may be stopped without having been started', async () => {
    await expect(periodic.stop()).resolves.toBeUndefined();
  });
});

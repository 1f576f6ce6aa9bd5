import type { PresenceLease, PresenceReport } from '@mentorhub/contracts';
import type { RequestClient } from '@mentorhub/messaging/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PresenceReporter } from './presence-reporter.js';

interface Sent {
  readonly report: PresenceReport;
  readonly answer: (lease: PresenceLease) => void;
  readonly fail: () => void;
}

/** Chat as the reporter sees it: every report waits until the test answers it. */
function startReporter(): { reporter: PresenceReporter; sent: Sent[] } {
  const sent: Sent[] = [];
  const requests = {
    request: (_contract: unknown, _caller: unknown, report: PresenceReport) =>
      new Promise<PresenceLease>((resolve, reject) => {
        sent.push({ report, answer: resolve, fail: () => reject(new Error('timeout')) });
      }),
  };
  return { reporter: new PresenceReporter(requests as unknown as RequestClient), sent };
}

describe('presence reports', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('never overlap: what changes meanwhile is in the next one', async () => {
    const { reporter, sent } = startReporter();
    reporter.came(1);
    await vi.advanceTimersByTimeAsync(300);
    reporter.went(1);
    await vi.advanceTimersByTimeAsync(300);
    reporter.came(2);
    await vi.advanceTimersByTimeAsync(4000);
    expect(sent).toHaveLength(1);

    sent[0]?.answer({ lease_seconds: 30 });
    await vi.advanceTimersByTimeAsync(0);

    expect(sent.map(({ report }) => report)).toMatchObject([
      { number: 1, came: [1], went: [], reset: true },
      { number: 2, came: [2], went: [1] },
    ]);
    reporter.onApplicationShutdown();
  });

  it('that got no answer are followed by one with everyone, under a higher number', async () => {
    const { reporter, sent } = startReporter();
    reporter.came(1);
    await vi.advanceTimersByTimeAsync(300);
    sent[0]?.answer({ lease_seconds: 30 });
    await vi.advanceTimersByTimeAsync(0);
    reporter.came(2);
    await vi.advanceTimersByTimeAsync(300);
    sent[1]?.fail();
    await vi.advanceTimersByTimeAsync(3000);

    expect(sent[2]?.report).toMatchObject({ number: 3, came: [1, 2], reset: true });
    reporter.onApplicationShutdown();
  });

  it('end with one that nobody is here, after the one on its way', async () => {
    const { reporter, sent } = startReporter();
    reporter.came(1);
    await vi.advanceTimersByTimeAsync(300);
    const left = reporter.leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(sent).toHaveLength(1);
    sent[0]?.answer({ lease_seconds: 30 });
    await vi.advanceTimersByTimeAsync(0);
    expect(sent[1]?.report).toMatchObject({ number: 2, came: [], reset: true });
    sent[1]?.answer({ lease_seconds: 30 });
    await left;
  });
});

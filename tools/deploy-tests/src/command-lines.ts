import { readdirSync, readFileSync } from 'node:fs';

/** Reads the list of processes all the time; what is returned ends that, and gives every command line that was in it. */
export function watchCommandLines(): () => string {
  const seen = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        // It has ended.
      }
    }
  };
  look();
  const timer = setInterval(look, 10);
  return () => {
    clearInterval(timer);
    look();
    return [...seen].join('\n');
  };
}

const second = 1000;
const minute = 60 * second;

/** Waits after each failed attempt, in milliseconds: most troubles pass in minutes, some providers' in hours. */
export const retryDelaysMs = [10 * second, minute, 5 * minute, 30 * minute, 120 * minute] as const;

/** How long to wait after so many attempts; undefined when it is time to give up. */
export function retryDelayMs(attempts: number): number | undefined {
  return retryDelaysMs[attempts - 1];
}

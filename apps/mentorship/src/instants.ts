/** RFC 3339 in UTC, without a fraction where there is none: `2026-11-25T15:00:00Z`. */
export function rfc3339(instant: Date | number): string {
  return new Date(instant).toISOString().replace('.000Z', 'Z');
}

/** Minor units, as stored, to major units, as on the wire: 300000 → 3000. */
export function toMajor(minor: number): number {
  return minor / 100;
}

/** Major units, as on the wire, to minor units, as stored: 3000 → 300000. */
export function toMinor(major: number): number {
  return Math.round(major * 100);
}

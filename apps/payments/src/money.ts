/** Major units for the wire: 300000 → 3000. */
export const toMajor = (minor: number): number => minor / 100;

/** Minor units of an amount from the wire, which has at most two decimals. */
export const toMinor = (major: number): number => Math.round(major * 100);

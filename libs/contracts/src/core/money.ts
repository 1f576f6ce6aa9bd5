const scales = new Map<string, number>();

/** How many minor units a major one has: 100 for RUB, 1 for JPY, 1000 for KWD. */
function scaleOf(currency: string): number {
  let scale = scales.get(currency);
  if (scale === undefined) {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency });
    scale = 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2);
    scales.set(currency, scale);
  }
  return scale;
}

/**
 * Minor units, as stored, to major units, as on the wire: 300000 of RUB → 3000.
 * @param currency ISO 4217
 */
export function toMajor(minor: number, currency: string): number {
  return minor / scaleOf(currency);
}

/**
 * Major units, as on the wire, to minor units, as stored, rounded to the nearest: 3000 of RUB → 300000.
 * @param currency ISO 4217
 */
export function toMinor(major: number, currency: string): number {
  return Math.round(major * scaleOf(currency));
}

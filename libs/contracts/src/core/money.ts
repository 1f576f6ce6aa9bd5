import { decimalsOf } from './currencies.js';

/** Most decimals of a currency that prices are named in. */
export const mostDecimals = 3;

/** Highest amount in major units. Its minor units fit a PostgreSQL `integer`, as long as a currency has two decimals. */
export const maxAmount = 20_000_000;

/** Whether an amount needs no more than so many decimals: 0.29 needs two, 1e-9 nine. */
export function hasDecimals(amount: number, decimals: number): boolean {
  return Number.isFinite(amount) && Number(amount.toFixed(decimals)) === amount;
}

/**
 * Minor units, as stored, to major units, as on the wire: 300000 of RUB → 3000.
 * @param currency ISO 4217
 */
export function toMajor(minor: number, currency: string): number {
  return minor / 10 ** decimalsOf(currency);
}

/**
 * Major units, as on the wire, to minor units, as stored, rounded to the nearest: 3000 of RUB → 300000. DTOs refuse what
 * would be rounded.
 * @param currency ISO 4217
 */
export function toMinor(major: number, currency: string): number {
  return Math.round(major * 10 ** decimalsOf(currency));
}

/** Active currencies of ISO 4217 by the decimals of their minor unit. Changes come as amendments of the standard. */
const byDecimals: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV
    MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
    SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

const decimals = new Map(
  Object.entries(byDecimals).flatMap(([count, codes]) =>
    codes.split(/\s+/).map((code): [string, number] => [code, Number(count)]),
  ),
);

/** Whether a code is an active currency of ISO 4217. */
export function isCurrency(code: unknown): code is string {
  return typeof code === 'string' && decimals.has(code);
}

/**
 * How many decimals amounts of a currency have: 2 for RUB, 0 for JPY, 3 for KWD. Not asked of ICU, whose answers are
 * those of shop prices and change with its version.
 * @throws RangeError for what is no currency
 */
export function decimalsOf(currency: string): number {
  const count = decimals.get(currency);
  if (count === undefined) throw new RangeError(`“${currency}” is not a currency of ISO 4217.`);
  return count;
}

import { type Locale, locales } from '@mentorhub/contracts';

/** The best of the product's languages for an `Accept-Language` header (RFC 9110, 12.5.4), if any. */
export function preferredLocale(header: string | undefined): Locale | undefined {
  if (!header) return undefined;
  let best: Locale | undefined;
  let bestQuality = 0;
  for (const range of header.slice(0, 256).split(',')) {
    const [tag = '', ...parameters] = range.split(';');
    const language = tag.trim().toLowerCase().split('-', 1)[0];
    const locale = locales.find((known) => known === language);
    const quality = qualityOf(parameters);
    if (locale && quality > bestQuality) [best, bestQuality] = [locale, quality];
  }
  return best;
}

function qualityOf(parameters: string[]): number {
  const written = parameters.map((text) => /^\s*q=([\d.]+)\s*$/i.exec(text)?.[1]).find(Boolean);
  return written === undefined ? 1 : Number(written);
}

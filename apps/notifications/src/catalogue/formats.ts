import { decimalsOf, type Locale, timeZoneOf, toMajor } from '@mentorhub/contracts';

/** What makes a word fit a number; `other` also stands for forms a language does not have. */
export type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** Writes dates, money and counted words the way the reader does. */
export class Formats {
  private readonly zone: string;

  constructor(
    readonly locale: Locale,
    /** IANA; one that nothing computes with counts as UTC. */
    timezone: string,
  ) {
    this.zone = timeZoneOf(timezone);
  }

  /** An instant in the reader's zone: `Wednesday, 25 November 2026 at 16:00 GMT+1`. */
  dateTime(instant: string): string {
    return new Intl.DateTimeFormat(this.locale === 'en' ? 'en-GB' : this.locale, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      timeZone: this.zone,
      timeZoneName: 'short',
    }).format(new Date(instant));
  }

  /** An amount of minor units: `RUB 3,000`. */
  money(minor: number, currency: string): string {
    return new Intl.NumberFormat(this.locale, {
      style: 'currency',
      currency,
      // Those of the amount: ICU has another idea of some currencies.
      minimumFractionDigits: decimalsOf(currency),
      maximumFractionDigits: decimalsOf(currency),
      trailingZeroDisplay: 'stripIfInteger',
    }).format(toMajor(minor, currency));
  }

  /** A number and the form of the word that fits it: `5 stars`. */
  count(number: number, forms: PluralForms): string {
    const form = forms[new Intl.PluralRules(this.locale).select(number)] ?? forms.other;
    return `${new Intl.NumberFormat(this.locale).format(number)} ${form}`;
  }
}

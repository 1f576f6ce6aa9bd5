import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  isEmail,
  isFQDN,
  IsIn,
  isIP,
  IsObject,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  type ValidationArguments,
} from 'class-validator';
import { isBlank } from './blank.js';
import { decimalsOf, isCurrency } from './currencies.js';
import { hasDecimals, maxAmount, mostDecimals } from './money.js';
import { declareField, type FieldShape, type Shape } from './shape.js';
import { isCalendarDate, readInstant, readTimeZone } from './time.js';

/*
 * One decorator per field says both what is accepted and what the OpenAPI document shows, so the two cannot differ.
 * Every message names the fix.
 */

export interface FieldOptions {
  /** The field may be left out. That does not make `null` a value of it. */
  optional?: boolean;
  /** The field may be `null`. */
  nullable?: boolean;
  description?: string;
  example?: unknown;
}

interface RangeOptions extends FieldOptions {
  min?: number;
  max?: number;
}

/** The largest number of a PostgreSQL `integer`, and so the largest id. */
export const maxInteger = 2_147_483_647;

/** Applies decorators from the first to the last; rules are checked in this order. */
function all(...decorators: PropertyDecorator[]): PropertyDecorator {
  return (target, key) => {
    for (const decorate of decorators) decorate(target, key);
  };
}

function field(
  { optional = false, nullable = false, description, example }: FieldOptions,
  schema: ApiPropertyOptions,
  rules: PropertyDecorator[],
  shape: Pick<FieldShape, 'kind' | 'of' | 'maxItems'> = { kind: 'value' },
): PropertyDecorator {
  const documented = { ...schema, required: !optional, nullable, description, example };
  return all(
    (target, key) => declareField(target, String(key), { ...shape, optional, nullable }),
    ApiProperty(documented as ApiPropertyOptions),
    ValidateIf((_, value) => !(optional && value === undefined) && !(nullable && value === null)),
    ...rules,
  );
}

/** @param message `$property` stands for the name of the field */
function rule(
  name: string,
  message: string,
  holds: (value: unknown, others: Record<string, unknown>) => boolean,
  { each = false } = {},
): PropertyDecorator {
  return ValidateBy(
    {
      name,
      validator: {
        validate: (value: unknown, validation?: ValidationArguments) =>
          holds(value, (validation?.object ?? {}) as Record<string, unknown>),
      },
    },
    { message, each },
  );
}

/** Replaces a text by how the field's values are written, before the rules see it. */
function written(as: (text: string) => unknown): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? as(value) : value,
  );
}

/** A number in a query, where everything is text; what is no plain decimal number stays text, which no rule takes. */
const numberFromText = written((text) =>
  /^-?\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : text,
);

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : Number.NaN);

function range({ min, max }: RangeOptions): PropertyDecorator[] {
  return [
    ...(min === undefined
      ? []
      : [rule('min', `$property must be at least ${min}.`, (value) => numberOf(value) >= min)]),
    ...(max === undefined
      ? []
      : [rule('max', `$property must be at most ${max}.`, (value) => numberOf(value) <= max)]),
  ];
}

/** A whole number that PostgreSQL's `integer` holds. */
export function Integer({
  min = -maxInteger,
  max = maxInteger,
  ...options
}: RangeOptions = {}): PropertyDecorator {
  return field(
    options,
    {
      type: 'integer',
      format: max <= maxInteger ? 'int32' : 'int64',
      ...(min !== -maxInteger && { minimum: min }),
      ...(max !== maxInteger && { maximum: max }),
    },
    [
      rule('integer', '$property must be a whole number.', Number.isInteger),
      ...range({ min, max }),
    ],
  );
}

/** An id. */
export function Id(options: FieldOptions = {}): PropertyDecorator {
  return Integer({ min: 1, example: 42, ...options });
}

/** An id of what there may be billions of, such as messages. */
export function LongId(options: FieldOptions & { min?: number } = {}): PropertyDecorator {
  return Integer({ min: 1, max: Number.MAX_SAFE_INTEGER, ...options });
}

/** A list of ids of what there may be billions of. */
export function LongIds({
  maxItems,
  ...options
}: FieldOptions & { maxItems: number }): PropertyDecorator {
  return field(
    options,
    { type: 'integer', isArray: true, maxItems },
    [
      ...list(maxItems),
      rule(
        'ids',
        'each entry of $property must be a whole number of at least 1.',
        (value) => Number.isSafeInteger(value) && Number(value) >= 1,
        { each: true },
      ),
    ],
    { kind: 'list', maxItems },
  );
}

/** A whole number in a query. */
export function QueryInteger(options: RangeOptions = {}): PropertyDecorator {
  return all(numberFromText, Integer(options));
}

/** Such an id in a query. */
export function QueryLongId(options: FieldOptions & { min?: number } = {}): PropertyDecorator {
  return all(numberFromText, LongId(options));
}

/** A number, such as a rating. */
export function Decimal({ min, max, ...options }: RangeOptions = {}): PropertyDecorator {
  return field(options, { type: 'number', minimum: min, maximum: max }, [
    rule('number', '$property must be a number.', Number.isFinite),
    ...range({ min, max }),
  ]);
}

/** A number in a query. */
export function QueryDecimal(options: RangeOptions = {}): PropertyDecorator {
  return all(numberFromText, Decimal(options));
}

interface MoneyOptions extends RangeOptions {
  /** The currency of the amount, ISO 4217. */
  currency?: string;
  /** The field beside it that names the currency. */
  currencyField?: string;
}

/**
 * An amount in major units, 3000 = 3000 RUB, with no more decimals than its currency has; where nothing here says which
 * that is, with no more than any currency has.
 */
export function Money({
  min = 0,
  max = maxAmount,
  currency,
  currencyField,
  ...options
}: MoneyOptions = {}): PropertyDecorator {
  const known = currency === undefined ? mostDecimals : decimalsOf(currency);
  const limit = (others: Record<string, unknown>): number => {
    const named = currencyField === undefined ? undefined : others[currencyField];
    return isCurrency(named) ? decimalsOf(named) : known;
  };
  return field({ example: 3000, ...options }, { type: 'number', minimum: min, maximum: max }, [
    rule('number', '$property must be an amount such as 3000.', Number.isFinite),
    ...range({ min, max }),
    rule(
      'decimals',
      currencyField === undefined
        ? `$property must be an amount with at most ${known} decimals.`
        : `$property must have no more decimals than its currency, which ${currencyField} names.`,
      (value, others) => hasDecimals(value as number, limit(others)),
    ),
  ]);
}

/** An amount in a query. */
export function QueryMoney(options: MoneyOptions = {}): PropertyDecorator {
  return all(numberFromText, Money(options));
}

/** A currency of ISO 4217. */
export function Currency(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'RUB', description: 'ISO 4217.', ...options },
    { type: 'string', minLength: 3, maxLength: 3 },
    [rule('currency', '$property must be a currency of ISO 4217 such as RUB.', isCurrency)],
  );
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** Counts code points, as PostgreSQL and JSON Schema do: ❤️ is two. */
function hasLength(value: unknown, min: number, max: number): boolean {
  if (!isText(value)) return false;
  const length = Array.from(value).length;
  return min <= length && length <= max;
}

/**
 * What holds for every text: it has a length, PostgreSQL and UTF-8 can hold it, and where one is asked for, there is
 * something to read.
 */
function textRules(min: number, max: number, each = false): PropertyDecorator[] {
  const of = each ? 'each entry of $property' : '$property';
  const options = { each };
  return [
    rule('text', `${of} must be a text.`, isText, options),
    rule(
      'length',
      `${of} must have ${min} to ${max} characters.`,
      (value) => hasLength(value, min, max),
      options,
    ),
    rule(
      'characters',
      `${of} must not contain the character U+0000 or half a surrogate pair.`,
      (value) => isStorable(String(value)),
      options,
    ),
    ...(min === 0
      ? []
      : [
          rule(
            'blank',
            `${of} must not be blank.`,
            (value) => !isText(value) || value === '' || !isBlank(value),
            options,
          ),
        ]),
  ];
}

/** PostgreSQL cannot store U+0000 in text; half a surrogate pair would be stored as another character. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Text of `min` (default 1) to `max` characters. */
export function Text({
  min = 1,
  max,
  ...options
}: FieldOptions & { min?: number; max: number }): PropertyDecorator {
  return field(options, { type: 'string', minLength: min, maxLength: max }, textRules(min, max));
}

const maxSearchWords = 5;

/** What to search for: at most five words. */
export function SearchWords({
  max,
  ...options
}: FieldOptions & { max: number }): PropertyDecorator {
  return field(options, { type: 'string', minLength: 1, maxLength: max }, [
    ...textRules(1, max),
    rule(
      'words',
      `$property must have at most ${maxSearchWords} words.`,
      (value) => String(value).trim().split(/\s+/).length <= maxSearchWords,
    ),
  ]);
}

/** Text that matches a pattern; `hint` completes “$property must be …”. */
export function Pattern(
  pattern: RegExp,
  hint: string,
  options: FieldOptions = {},
): PropertyDecorator {
  return field(options, { type: 'string', pattern: pattern.source }, [
    rule(
      'pattern',
      `$property must be ${hint}.`,
      (value) => isText(value) && pattern.test(value) && isStorable(value),
    ),
  ]);
}

/** Whether a text is an email address that accounts may have. */
export function isEmailAddress(text: string): boolean {
  return text.length <= 254 && isStorable(text) && isEmail(text);
}

/** An email address, trimmed and in lower case. */
export function Email(options: FieldOptions = {}): PropertyDecorator {
  return all(
    written((text) => text.trim().toLowerCase()),
    field(
      { example: 'user@example.com', ...options },
      { type: 'string', format: 'email', maxLength: 254 },
      [
        rule(
          'email',
          '$property must be an email address such as user@example.com, of at most 254 characters.',
          (value) => isText(value) && isEmailAddress(value),
        ),
      ],
    ),
  );
}

/** A new password: 8 to 128 characters of any kind. */
export function Password(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'correct horse battery staple', ...options },
    { type: 'string', format: 'password', minLength: 8, maxLength: 128 },
    textRules(8, 128),
  );
}

/**
 * A password as somebody gives it to sign in: what no new password may be is not refused here, but answered as a wrong
 * one, and passwords that are longer than a new one may be go on working.
 */
export function GivenPassword(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'correct horse battery staple', ...options },
    { type: 'string', format: 'password', minLength: 1, maxLength: 256 },
    [
      rule('text', '$property must be a text.', isText),
      rule('length', '$property must have 1 to 256 characters.', (value) =>
        hasLength(value, 1, 256),
      ),
    ],
  );
}

/** An instant: RFC 3339 with a zone, `2026-11-25T15:00:00Z`. Handed on in UTC. */
export function Instant(options: FieldOptions = {}): PropertyDecorator {
  return all(
    written((text) => readInstant(text) ?? text),
    field(
      { example: '2026-11-25T15:00:00Z', ...options },
      { type: 'string', format: 'date-time' },
      [
        rule(
          'instant',
          '$property must be an instant with a zone such as 2026-11-25T15:00:00Z, from 1970 to 2999.',
          (value) => isText(value) && readInstant(value) !== undefined,
        ),
      ],
    ),
  );
}

/** A calendar date, `2026-11-25`. */
export function CalendarDate(options: FieldOptions = {}): PropertyDecorator {
  return field({ example: '2026-11-25', ...options }, { type: 'string', format: 'date' }, [
    rule(
      'date',
      '$property must be a date such as 2026-11-25, from 1970 to 2999.',
      (value) => isText(value) && isCalendarDate(value),
    ),
  ]);
}

/** A wall-clock time, `HH:MM`; `24:00` ends a day. */
export function ClockTime(options: FieldOptions = {}): PropertyDecorator {
  return Pattern(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time such as 09:30', {
    example: '09:30',
    ...options,
  });
}

/** An IANA time zone, `Europe/Berlin`. Handed on as it is spelt. */
export function TimeZone(options: FieldOptions = {}): PropertyDecorator {
  return all(
    written((text) => readTimeZone(text) ?? text),
    field({ example: 'Europe/Berlin', ...options }, { type: 'string' }, [
      rule(
        'timeZone',
        '$property must be an IANA time zone such as Europe/Berlin.',
        (value) => isText(value) && readTimeZone(value) !== undefined,
      ),
    ]),
  );
}

/** An absolute `https:` address (`http:` too where `insecure`). Handed on with scheme and host in lower case. */
export function WebAddress({
  insecure = false,
  ...options
}: FieldOptions & { insecure?: boolean } = {}): PropertyDecorator {
  const schemes = insecure ? ['http', 'https'] : ['https'];
  return all(
    written((text) => readWebAddress(text, schemes) ?? text),
    field(
      { example: 'https://example.com/meet/42', ...options },
      { type: 'string', format: 'uri', maxLength: 2048 },
      [
        rule(
          'webAddress',
          `$property must be an address of at most 2048 characters that begins with ${schemes.join(':// or ')}://, without a password.`,
          (value) => isText(value) && readWebAddress(value, schemes) !== undefined,
        ),
      ],
    ),
  );
}

/** A web address in its normal form, if it is one; hosts have a dot unless `http:` is allowed, for development. */
function readWebAddress(text: string, schemes: string[]): string | undefined {
  if (text.length > 2048 || !/^[a-z]+:\/\/[^\s\p{Cc}\\]+$/iu.test(text) || !isStorable(text)) {
    return undefined;
  }
  const url = URL.parse(text);
  if (!url || !schemes.includes(url.protocol.slice(0, -1)) || url.username || url.password) {
    return undefined;
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isHost = isIP(host) || isFQDN(host, { require_tld: schemes.length === 1 });
  return isHost && url.href.length <= 2048 ? url.href : undefined;
}

/** One of a few words. */
export function Choice(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  return field(options, { type: 'string', enum: [...values] }, [
    IsIn(values, { message: `$property must be one of: ${values.join(', ')}.` }),
  ]);
}

/** true or false. */
export function Flag(options: FieldOptions = {}): PropertyDecorator {
  return field(options, { type: 'boolean' }, [
    IsBoolean({ message: '$property must be true or false.' }),
  ]);
}

/** The words `true` and `false` in a query. */
export function QueryFlag(options: FieldOptions = {}): PropertyDecorator {
  return all(
    written((text) => (text === 'true' ? true : text === 'false' ? false : text)),
    Flag(options),
  );
}

function list(maxItems: number | undefined, minItems = 0): PropertyDecorator[] {
  return [
    IsArray({ message: '$property must be a list.' }),
    ...(minItems === 0
      ? []
      : [ArrayMinSize(minItems, { message: `$property must have at least ${minItems} entries.` })]),
    ...(maxItems === undefined
      ? []
      : [ArrayMaxSize(maxItems, { message: `$property must have at most ${maxItems} entries.` })]),
  ];
}

/** A list of texts. */
export function Texts({
  maxItems,
  max,
  minItems = 0,
  ...options
}: FieldOptions & { maxItems: number; max: number; minItems?: number }): PropertyDecorator {
  return field(
    options,
    {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: max },
      maxItems,
      ...(minItems > 0 && { minItems }),
    },
    [...list(maxItems, minItems), ...textRules(1, max, true)],
    { kind: 'list', maxItems },
  );
}

/** A nested object of a class. */
export function Nested(shape: () => Shape, options: FieldOptions = {}): PropertyDecorator {
  return field(
    options,
    // @nestjs/swagger takes a function for a lazy type only when it is named `type`.
    { type: () => shape() },
    [IsObject({ message: '$property must be an object.' }), ValidateNested(), Type(shape)],
    { kind: 'object', of: shape },
  );
}

/** A list of objects of a class. */
export function Items(
  shape: () => Shape,
  { maxItems, ...options }: FieldOptions & { maxItems?: number } = {},
): PropertyDecorator {
  return field(
    options,
    { type: () => shape(), isArray: true, maxItems },
    [
      ...list(maxItems),
      ValidateNested({ each: true, message: 'each entry of $property must be an object.' }),
      Type(shape),
    ],
    { kind: 'list', of: shape, maxItems },
  );
}

/** An object of any content that nothing reads; nothing of it is handed on. */
export function UnreadObject(options: FieldOptions = {}): PropertyDecorator {
  return field(
    options,
    { type: 'object', additionalProperties: true },
    [IsObject({ message: '$property must be an object.' })],
    { kind: 'object' },
  );
}

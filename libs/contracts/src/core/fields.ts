import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsEmail,
  IsIn,
  IsInt,
  IsISO8601,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  IsTimeZone,
  IsUrl,
  Length,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';

/*
 * One decorator per field says both what is accepted and what the OpenAPI document shows, so the two cannot differ.
 * Every message names the fix.
 */

export interface FieldOptions {
  /** The field may be left out. */
  optional?: boolean;
  /** The field may be `null`; for answers. */
  nullable?: boolean;
  description?: string;
  example?: unknown;
}

interface RangeOptions extends FieldOptions {
  min?: number;
  max?: number;
}

function field(
  { optional, nullable, description, example }: FieldOptions,
  schema: ApiPropertyOptions,
  ...rules: PropertyDecorator[]
): PropertyDecorator {
  const decorators = [
    ApiProperty({
      ...schema,
      required: !optional,
      nullable,
      description,
      example,
    } as ApiPropertyOptions),
    ...(optional || nullable ? [IsOptional()] : []),
    ...rules,
  ];
  return (target, key) => {
    for (const decorate of decorators) decorate(target, key);
  };
}

/** A whole number. */
export function Integer({ min, max, ...options }: RangeOptions = {}): PropertyDecorator {
  return field(
    options,
    { type: 'integer', minimum: min, maximum: max },
    IsInt({ message: '$property must be a whole number.' }),
    ...(min === undefined ? [] : [Min(min, { message: `$property must be at least ${min}.` })]),
    ...(max === undefined ? [] : [Max(max, { message: `$property must be at most ${max}.` })]),
  );
}

/** A number, such as a rating. */
export function Decimal({ min, max, ...options }: RangeOptions = {}): PropertyDecorator {
  return field(
    options,
    { type: 'number', minimum: min, maximum: max },
    IsNumber({ allowNaN: false, allowInfinity: false }, { message: '$property must be a number.' }),
    ...(min === undefined ? [] : [Min(min, { message: `$property must be at least ${min}.` })]),
    ...(max === undefined ? [] : [Max(max, { message: `$property must be at most ${max}.` })]),
  );
}

/** An amount in major units of the currency, at most two decimals: 3000 = 3000 RUB. */
export function Money(options: RangeOptions = {}): PropertyDecorator {
  const { min = 0, max = 10_000_000, ...rest } = options;
  return field(
    { example: 3000, ...rest },
    { type: 'number', minimum: min, maximum: max },
    IsNumber(
      { allowNaN: false, allowInfinity: false, maxDecimalPlaces: 2 },
      { message: '$property must be an amount with at most two decimals.' },
    ),
    Min(min, { message: `$property must be at least ${min}.` }),
    Max(max, { message: `$property must be at most ${max}.` }),
  );
}

/** Text of `min` (default 1) to `max` characters. */
export function Text({
  min = 1,
  max,
  ...options
}: FieldOptions & { min?: number; max: number }): PropertyDecorator {
  return field(
    options,
    { type: 'string', minLength: min, maxLength: max },
    IsString({ message: '$property must be a text.' }),
    Length(min, max, { message: `$property must have ${min} to ${max} characters.` }),
    // PostgreSQL cannot store U+0000 in text.
    Matches(/^[^\0]*$/s, { message: '$property must not contain the character U+0000.' }),
    // Half a surrogate pair would be stored as another character.
    Matches(/^\P{Surrogate}*$/u, {
      message: '$property must not contain half a character: send whole surrogate pairs.',
    }),
  );
}

/** Text that matches a pattern; `hint` completes “$property must be …”. */
export function Pattern(
  pattern: RegExp,
  hint: string,
  options: FieldOptions = {},
): PropertyDecorator {
  return field(
    options,
    { type: 'string', pattern: pattern.source },
    IsString({ message: `$property must be ${hint}.` }),
    Matches(pattern, { message: `$property must be ${hint}.` }),
  );
}

/** A email address, trimmed and in lower case. */
export function Email(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'user@example.com', ...options },
    { type: 'string', format: 'email', maxLength: 254 },
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.trim().toLowerCase() : value,
    ),
    IsEmail({}, { message: '$property must be a email address such as user@example.com.' }),
    Length(3, 254, { message: '$property must have at most 254 characters.' }),
  );
}

/** A new password: 8 to 256 characters of any kind. */
export function Password(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'correct horse battery staple', ...options },
    { type: 'string', format: 'password', minLength: 8, maxLength: 256 },
    IsString({ message: '$property must be a text.' }),
    Length(8, 256, { message: '$property must have 8 to 256 characters.' }),
  );
}

/** An instant: RFC 3339 with a zone, `2026-11-25T15:00:00Z`. */
export function Instant(options: FieldOptions = {}): PropertyDecorator {
  const message = '$property must be an instant with a zone such as 2026-11-25T15:00:00Z.';
  return field(
    { example: '2026-11-25T15:00:00Z', ...options },
    { type: 'string', format: 'date-time' },
    IsISO8601({ strict: true, strictSeparator: true }, { message }),
    Matches(/T.*(Z|[+-]\d\d:\d\d)$/, { message }),
  );
}

/** A calendar date, `2026-11-25`. */
export function CalendarDate(options: FieldOptions = {}): PropertyDecorator {
  const message = '$property must be a date such as 2026-11-25.';
  return field(
    { example: '2026-11-25', ...options },
    { type: 'string', format: 'date' },
    Matches(/^\d{4}-\d\d-\d\d$/, { message }),
    IsISO8601({ strict: true }, { message }),
  );
}

/** A wall-clock time, `HH:MM`; `24:00` ends a day. */
export function ClockTime(options: FieldOptions = {}): PropertyDecorator {
  return Pattern(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time such as 09:30', {
    example: '09:30',
    ...options,
  });
}

/** An IANA time zone, `Europe/Berlin`. */
export function TimeZone(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { example: 'Europe/Berlin', ...options },
    { type: 'string' },
    IsTimeZone({ message: '$property must be an IANA time zone such as Europe/Berlin.' }),
  );
}

/** An absolute `https:` address (`http:` too where `insecure`). */
export function WebAddress({
  insecure = false,
  ...options
}: FieldOptions & { insecure?: boolean } = {}): PropertyDecorator {
  const protocols = insecure ? ['http', 'https'] : ['https'];
  return field(
    { example: 'https://example.com/meet/42', ...options },
    { type: 'string', format: 'uri', maxLength: 2048 },
    IsUrl(
      { protocols, require_protocol: true, require_tld: !insecure, disallow_auth: true },
      { message: `$property must be an address that begins with ${protocols.join(':// or ')}://.` },
    ),
    Length(1, 2048, { message: '$property must have at most 2048 characters.' }),
  );
}

/** One of a few words. */
export function Choice(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  return field(
    options,
    { type: 'string', enum: [...values] },
    IsIn(values, { message: `$property must be one of: ${values.join(', ')}.` }),
  );
}

/** true or false. In a query string, the words `true` and `false`. */
export function Flag(options: FieldOptions = {}): PropertyDecorator {
  return field(
    options,
    { type: 'boolean' },
    Transform(({ value }: { value: unknown }) =>
      value === 'true' ? true : value === 'false' ? false : value,
    ),
    IsBoolean({ message: '$property must be true or false.' }),
  );
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
    { type: 'array', items: { type: 'string', maxLength: max }, maxItems },
    IsArray({ message: '$property must be a list.' }),
    ArrayMinSize(minItems, { message: `$property must have at least ${minItems} entries.` }),
    ArrayMaxSize(maxItems, { message: `$property must have at most ${maxItems} entries.` }),
    IsString({ each: true, message: 'each entry of $property must be a text.' }),
    Length(1, max, {
      each: true,
      message: `each entry of $property must have 1 to ${max} characters.`,
    }),
  );
}

type Shape = () => new () => object;

/** A nested object of a class. */
export function Nested(shape: Shape, options: FieldOptions = {}): PropertyDecorator {
  return field(
    options,
    // @nestjs/swagger takes a function for a lazy type only when it is named `type`.
    { type: () => shape() },
    IsObject({ message: '$property must be an object.' }),
    ValidateNested(),
    Type(shape),
  );
}

/** A list of objects of a class. */
export function Items(
  shape: Shape,
  { maxItems, ...options }: FieldOptions & { maxItems?: number } = {},
): PropertyDecorator {
  return field(
    options,
    { type: () => shape(), isArray: true, maxItems },
    IsArray({ message: '$property must be a list.' }),
    ...(maxItems === undefined
      ? []
      : [ArrayMaxSize(maxItems, { message: `$property must have at most ${maxItems} entries.` })]),
    ValidateNested({ each: true }),
    Type(shape),
  );
}

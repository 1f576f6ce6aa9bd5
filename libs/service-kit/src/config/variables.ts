import { EnvError, makeExactValidator, type ValidatorSpec } from 'envalid';

/** The environment as the process got it. */
export type RawEnvironment = Readonly<Record<string, string | undefined>>;

/** One environment variable: how it is read, and what the documentation says about it. */
export interface Variable<T> {
  readonly spec: ValidatorSpec<T>;
  /** What it is for, one sentence without a full stop. */
  readonly desc: string;
  /** What it must be: completes “must be …”. */
  readonly kind: string;
  readonly required: boolean;
  /** Never shown, neither in errors nor in the documentation. May come from a file, which `<NAME>_FILE` names. */
  readonly secret: boolean;
  /** The default as the documentation shows it. */
  readonly defaultText?: string;
  /** Computes the default from other variables. */
  readonly defaultFrom?: (environment: RawEnvironment) => T | undefined;
  /** Read from the first of these that is set, instead of from its own name. */
  readonly readFrom?: readonly Source[];
  /** What is wrong with the variable beside others that are set: a sentence that names them. */
  readonly conflict?: (environment: RawEnvironment) => string | undefined;
}

/** Another variable that a value may come from, and how to derive it. */
export interface Source {
  readonly name: string;
  readonly derive?: (value: string, environment: RawEnvironment) => string;
}

export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** What a set of variables reads to. */
export type Environment<V> = {
  readonly [Name in keyof V]: V[Name] extends Variable<infer T> ? T : never;
};

interface Description {
  desc: string;
  example?: string;
  secret?: boolean;
  readFrom?: readonly Source[];
  conflict?: (environment: RawEnvironment) => string | undefined;
}

interface Defaulted<T> extends Description {
  default: T;
}

interface Derived<T> extends Description {
  /** Undefined where the variable is required. */
  defaultFrom: (environment: RawEnvironment) => T | undefined;
  /** The rule, as the documentation shows it. */
  defaultText: string;
}

interface Optional extends Description {
  optional: true;
}

interface Define<T> {
  (options: Optional): Variable<T | undefined>;
  (options: Description | Defaulted<T> | Derived<T>): Variable<T>;
}

interface AnyOptions<T> extends Description {
  default?: T;
  defaultFrom?: (environment: RawEnvironment) => T | undefined;
  defaultText?: string;
  optional?: boolean;
}

function define<T>(kind: string, parse: (text: string) => T | undefined): Define<T> {
  const validator = makeExactValidator<T>((text) => {
    const value = parse(text);
    if (value === undefined) throw new EnvError();
    return value;
  });
  const variable = ({
    desc,
    example,
    secret = false,
    readFrom,
    conflict,
    optional = false,
    defaultFrom,
    defaultText,
    ...rest
  }: AnyOptions<T>): Variable<T> => {
    const fallback =
      'default' in rest ? { default: rest.default } : optional ? { default: undefined } : {};
    return {
      spec: { ...validator(), desc, example, ...fallback } as ValidatorSpec<T>,
      desc,
      kind: example === undefined ? kind : `${kind} such as ${example}`,
      required: !('default' in rest) && !optional && defaultFrom === undefined,
      secret,
      defaultText: defaultText ?? ('default' in rest ? String(rest.default) : undefined),
      defaultFrom,
      readFrom,
      conflict,
    };
  };
  return variable;
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  const value = Number(text);
  return /^-?\d+$/.test(text) && value >= min && value <= max ? value : undefined;
}

interface Range {
  min?: number;
  max?: number;
}

/** A whole number within `min` (default 0) and `max` (default 2^53 − 1). */
export function integer(options: Optional & Range): Variable<number | undefined>;
export function integer(
  options: (Description | Defaulted<number> | Derived<number>) & Range,
): Variable<number>;
export function integer({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
  ...options
}: AnyOptions<number> & Range): Variable<number> | Variable<number | undefined> {
  const kind =
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${min}`
      : `a whole number from ${min} to ${max}`;
  return define<number>(kind, (text) => wholeNumber(text, min, max))(options as Description);
}

/** A TCP port; 0 lets the system choose a free one. */
export const port: Define<number> = define('a port from 0 to 65535', (text) =>
  wholeNumber(text, 0, 65_535),
);

interface Length {
  /** Fewest characters; default 1. */
  min?: number;
}

/** A text of at least `min` (default 1) characters. */
export function text(options: Optional & Length): Variable<string | undefined>;
export function text(
  options: (Description | Defaulted<string> | Derived<string>) & Length,
): Variable<string>;
export function text({
  min = 1,
  ...options
}: AnyOptions<string> & Length): Variable<string> | Variable<string | undefined> {
  const kind = min === 1 ? 'a text' : `a text of at least ${min} characters`;
  return define<string>(kind, (value) => (value.length < min ? undefined : value))(
    options as Description,
  );
}

/** `true` or `false`, also `1` or `0`. */
export const flag: Define<boolean> = define('true or false', (value) =>
  ['true', '1'].includes(value) ? true : ['false', '0'].includes(value) ? false : undefined,
);

/** An absolute `http:` or `https:` address; kept without a slash at the end. */
export const webAddress: Define<string> = define('an http:// or https:// address', (value) =>
  /^https?:$/.test(URL.parse(value)?.protocol ?? '') ? value.replace(/\/+$/, '') : undefined,
);

/** A list of texts, separated by commas. */
export const list: Define<string[]> = define('a list separated by commas', (value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** An address with one of these schemes: `address(['postgres', 'postgresql'])`; several, by commas, where `many`. */
export function address(schemes: readonly string[], { many = false } = {}): Define<string> {
  const isAddress = (value: string) =>
    schemes.includes(URL.parse(value.trim())?.protocol.slice(0, -1) ?? '');
  return define(`an address that begins with ${schemes.join(':// or ')}://`, (value) =>
    (many ? value.split(',') : [value]).every(isAddress) ? value : undefined,
  );
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): Define<T> {
  return define(`one of ${words.join(', ')}`, (value) => words.find((word) => word === value));
}

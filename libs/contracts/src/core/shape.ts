import type { FieldError } from './errors.js';

/** A class whose fields are decorated. */
export type Shape = new () => object;

/** What is known of a field without a look at its value. */
export interface FieldShape {
  /** What JSON has at this place. */
  readonly kind: 'value' | 'object' | 'list';
  /** The class of the object, or of the objects in the list. */
  readonly of?: () => Shape;
  /** Most entries of a list. */
  readonly maxItems?: number;
  readonly optional: boolean;
  readonly nullable: boolean;
}

const declared = new WeakMap<object, Map<string, FieldShape>>();

/** Records a field of the class that `prototype` belongs to. Called by the field decorators. */
export function declareField(prototype: object, name: string, shape: FieldShape): void {
  let fields = declared.get(prototype);
  if (!fields) declared.set(prototype, (fields = new Map<string, FieldShape>()));
  fields.set(name, shape);
}

/** The fields of a class, with those it inherits. */
export function fieldsOf(shape: Shape): ReadonlyMap<string, FieldShape> {
  const fields = new Map<string, FieldShape>();
  for (
    let prototype = shape.prototype as object | null;
    prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    for (const [name, field] of declared.get(prototype) ?? []) {
      if (!fields.has(name)) fields.set(name, field);
    }
  }
  return fields;
}

/** The part of a value that a class has room for, and what else the value had. */
export interface Fitted {
  readonly value: Record<string, unknown>;
  readonly errors: FieldError[];
}

/** Most errors reported at once; nothing is looked at after them. */
export const maxFieldErrors = 50;

/**
 * Cuts a JSON object to what a class describes: known fields, lists no longer than allowed, no structure where a plain
 * value belongs. What is cut off is reported. Takes linear time, so that later steps, which may take longer, see a value
 * whose size the class bounds.
 */
export function fit(shape: Shape, given: object): Fitted {
  const errors: FieldError[] = [];
  return { value: fitObject(shape, given, '', errors), errors };
}

function fitObject(
  shape: Shape,
  given: object,
  path: string,
  errors: FieldError[],
): Record<string, unknown> {
  const fields = fieldsOf(shape);
  const fitted: Record<string, unknown> = {};
  for (const [name, value] of ownEntries(given)) {
    if (errors.length >= maxFieldErrors) break;
    const field = fields.get(name);
    const at = path === '' ? name : `${path}.${name}`;
    if (!field) {
      const shown = shortened(at);
      errors.push({ field: shown, message: `${shown} is not a known field.` });
    } else if (value === null && field.optional && !field.nullable) {
      errors.push({ field: at, message: `${at} must not be null: leave it out instead.` });
    } else {
      fitted[name] = fitValue(field, value, at, errors);
    }
  }
  return fitted;
}

/** One pair at a time: an object may have a hundred thousand. */
function* ownEntries(given: object): Iterable<[string, unknown]> {
  for (const name in given) {
    if (Object.hasOwn(given, name)) yield [name, (given as Record<string, unknown>)[name]];
  }
}

function fitValue(field: FieldShape, value: unknown, path: string, errors: FieldError[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    if (field.kind !== 'list') return [];
    const { maxItems = value.length } = field;
    if (value.length > maxItems) {
      errors.push({ field: path, message: `${path} must have at most ${maxItems} entries.` });
    }
    return value
      .slice(0, maxItems)
      .map((entry: unknown, index) => fitEntry(field.of, entry, `${path}[${index}]`, errors));
  }
  return field.kind === 'object' ? fitEntry(field.of, value, path, errors) : {};
}

/** An object of the class, if there is one; other structure loses its contents, and the field's rules refuse the rest. */
function fitEntry(
  of: FieldShape['of'],
  value: unknown,
  path: string,
  errors: FieldError[],
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return [];
  return of ? fitObject(of(), value, path, errors) : {};
}

/** A client's own name of any length, as an answer can carry it. */
function shortened(name: string): string {
  return (name.length > 100 ? `${name.slice(0, 99)}…` : name).toWellFormed();
}

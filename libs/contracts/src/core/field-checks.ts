/*
 * Checks of what one app sends another without a user behind it. What users send is checked by the DTOs of the gateways,
 * which services do not load: with the libraries they need, those take more memory than a service.
 */

/** What is wrong with a value, as the end of “… must be …”; undefined when nothing is. */
export type FieldCheck = (value: unknown) => string | undefined;

/** By name; fields that are not listed are left to the handler, as a newer sender may send more. */
export type FieldChecks = Readonly<Record<string, FieldCheck>>;

/** An id of a row. */
export const idField: FieldCheck = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'a positive whole number';

/** At most `most` ids. */
export function idsField(most: number): FieldCheck {
  return (value) =>
    Array.isArray(value) && value.length <= most && value.every((id) => !idField(id))
      ? undefined
      : `a list of at most ${most} positive whole numbers`;
}

/** Yes or no. */
export const flagField: FieldCheck = (value) =>
  typeof value === 'boolean' ? undefined : 'true or false';

/** A text of 1 to `most` characters. */
export function textField(most: number): FieldCheck {
  return (value) =>
    typeof value === 'string' && value !== '' && value.length <= most && !value.includes('\0')
      ? undefined
      : `a text of 1 to ${most} characters`;
}

/** At most `most` objects, whose fields pass these checks. */
export function listField(most: number, fields: FieldChecks): FieldCheck {
  return (value) =>
    Array.isArray(value) && value.length <= most && value.every((item) => !faultIn(item, fields))
      ? undefined
      : `a list of at most ${most} whole entries`;
}

/** Left out, or as `check` says. */
export function optionalField(check: FieldCheck): FieldCheck {
  return (value) => (value === undefined ? undefined : check(value));
}

/** The first field that is not as it must be, and what it must be. */
export function faultIn(
  value: unknown,
  fields: FieldChecks,
): { field: string; must: string } | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { field: '', must: 'an object' };
  }
  for (const [field, check] of Object.entries(fields)) {
    const must = check(Object.hasOwn(value, field) ? value[field as keyof object] : undefined);
    if (must !== undefined) return { field, must };
  }
  return undefined;
}

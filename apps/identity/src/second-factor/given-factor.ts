import { ApplicationError, type PasskeyAssertion } from '@mentorhub/contracts';

/** What somebody shows as the second factor. */
export type GivenFactor =
  | { factor: 'totp'; code: string }
  | { factor: 'recovery_code'; code: string }
  | { factor: 'passkey'; assertion: PasskeyAssertion };

/** The fields that can carry one. */
export interface FactorFields {
  code?: string;
  recovery_code?: string;
  passkey?: PasskeyAssertion;
}

/**
 * The one factor that is given.
 * @param fields those that the request has
 * @throws ApplicationError VALIDATION_FAILED unless it is exactly one
 */
export function givenFactor(
  { code, recovery_code: recoveryCode, passkey }: FactorFields,
  fields: readonly (keyof FactorFields)[] = ['code', 'recovery_code', 'passkey'],
): GivenFactor {
  const given: GivenFactor[] = [];
  if (code !== undefined) given.push({ factor: 'totp', code });
  if (recoveryCode !== undefined) given.push({ factor: 'recovery_code', code: recoveryCode });
  if (passkey !== undefined) given.push({ factor: 'passkey', assertion: passkey });
  if (given.length !== 1) throw exactlyOneOf(fields);
  return given[0]!;
}

/** The refusal of a request that gives none of some fields, or several. */
export function exactlyOneOf(fields: readonly string[]): ApplicationError {
  const message = `send exactly one of ${fields.join(', ')}.`;
  return new ApplicationError('VALIDATION_FAILED', `Some fields are invalid: ${message}`, {
    errors: fields.map((field) => ({ field, message })),
  });
}

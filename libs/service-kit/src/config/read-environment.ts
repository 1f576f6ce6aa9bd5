import { customCleanEnv, EnvMissingError } from 'envalid';
import type { Environment, RawEnvironment, Variable, Variables } from './variables.js';

/** The exit code for a configuration error, `EX_CONFIG` of sysexits.h: restarting does not help. */
export const configurationErrorExitCode = 78;

/** A start with bad variables; the message has a line for each of them. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly problems: readonly string[]) {
    super(
      [
        `The configuration has ${problems.length === 1 ? 'an error' : `${problems.length} errors`}:`,
        ...problems.map((problem) => `  ${problem}`),
      ].join('\n'),
    );
  }
}

/** A variable that is set to nothing counts as not set, as container tools write it. */
function rawValue(
  environment: RawEnvironment,
  name: string,
  { readFrom }: Variable<unknown>,
): string | undefined {
  for (const source of readFrom ?? [{ name }]) {
    const value = environment[source.name]?.trim();
    if (value) return source.derive ? source.derive(value, environment) : value;
  }
  return undefined;
}

function describeProblem(
  name: string,
  { kind, desc, secret, readFrom }: Variable<unknown>,
  value: string | undefined,
  error: Error,
): string {
  const names = readFrom?.map((source) => source.name).join(' or ') ?? name;
  if (error instanceof EnvMissingError) return `${names} is missing: set it to ${kind}. ${desc}.`;
  const shown = secret ? '' : `, not “${value}”`;
  return `${names} must be ${kind}${shown}. ${desc}.`;
}

/**
 * Reads the variables an app declares into one frozen, typed object.
 *
 * @throws ConfigurationError that lists every variable that is missing or wrong, with the fix
 */
export function readEnvironment<V extends Variables>(
  environment: RawEnvironment,
  variables: V,
): Environment<V> {
  const values: Record<string, string | undefined> = {};
  const specs: Record<string, Variable<unknown>['spec']> = {};
  for (const [name, variable] of Object.entries(variables)) {
    values[name] = rawValue(environment, name, variable);
    const derived = variable.defaultFrom?.(environment);
    specs[name] =
      derived === undefined || derived === null
        ? variable.spec
        : { ...variable.spec, default: derived };
  }
  return customCleanEnv(values, specs, (cleaned) => cleaned as unknown as Environment<V>, {
    reporter: ({ errors }) => {
      const problems = Object.entries(errors).flatMap(([name, error]) => {
        const variable = variables[name];
        return variable && error ? [describeProblem(name, variable, values[name], error)] : [];
      });
      if (problems.length > 0) throw new ConfigurationError(problems);
    },
  });
}

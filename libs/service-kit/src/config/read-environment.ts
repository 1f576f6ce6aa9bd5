import { customCleanEnv, EnvMissingError } from 'envalid';
import { fileVariable, namesOf, readSecretFiles } from './secret-files.js';
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
  variable: Variable<unknown>,
  value: string | undefined,
  error: Error,
): string {
  const { kind, desc, secret } = variable;
  const own = namesOf(name, variable);
  const names = own.join(' or ');
  if (error instanceof EnvMissingError) {
    const orFile = secret
      ? `, or ${fileVariable(own[0] ?? name)} to the path of a file that holds it`
      : '';
    return `${names} is missing: set it to ${kind}${orFile}. ${desc}.`;
  }
  const shown = secret ? '' : `, not “${value}”`;
  return `${names} must be ${kind}${shown}. ${desc}.`;
}

/**
 * Reads the variables an app declares into one frozen, typed object. A secret may also come from a file, which the
 * variable with `_FILE` after its name has the path of.
 *
 * @throws ConfigurationError that lists every variable that is missing or wrong, with the fix
 */
export function readEnvironment<V extends Variables>(
  given: RawEnvironment,
  variables: V,
): Environment<V> {
  const { environment, problems: fileProblems } = readSecretFiles(given, variables);
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
        if (!variable || !error) return [];
        // Without its file, a variable is missing for that reason alone.
        if (namesOf(name, variable).some((source) => fileProblems.has(source))) return [];
        return [describeProblem(name, variable, values[name], error)];
      });
      problems.push(...fileProblems.values());
      for (const { conflict } of Object.values(variables)) {
        const problem = conflict?.(environment);
        if (problem !== undefined) problems.push(problem);
      }
      if (problems.length > 0) throw new ConfigurationError(problems);
    },
  });
}

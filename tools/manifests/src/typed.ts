import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import ts from 'typescript';
import { type Fault, fault } from './finding.js';
import { type Model, modelClass, modelOf } from './models.js';
import { type FieldPath, fieldName, type KubernetesObject, nameOf } from './objects.js';

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts'],
  module: ts.ModuleKind.NodeNext,
  customConditions: ['@mentorhub/source'],
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
};

/** Not on the disk; beside this package, so that its dependencies are found. */
const literalsFolder = join(workspaceRoot, 'tools', 'manifests', 'literals');

interface Literal {
  object: KubernetesObject;
  file: string;
  text: string;
}

/** Files of libraries, which are the same in every pass. */
const libraries = new Map<string, ts.SourceFile | undefined>();

function literalOf(object: KubernetesObject, { specifier, type }: Model, index: number): Literal {
  return {
    object,
    file: join(literalsFolder, `${index}.ts`),
    text: `import type { ${type} } from ${JSON.stringify(specifier)};
export const object: ${type} = ${JSON.stringify(object, undefined, 1)};
`,
  };
}

/**
 * Checks objects against the models of their kinds, as a compiler does: each becomes a literal of its interface, in which
 * no field may be unknown, missing or of another type. Then the schemas of the models are asked, which know formats and
 * ranges. All objects are one pass of the compiler: it costs some seconds, of which few are for one object more.
 *
 * @returns what is wrong, by object
 */
export async function typeFaults(
  objects: readonly KubernetesObject[],
): Promise<Map<KubernetesObject, Fault[]>> {
  const faults = new Map<KubernetesObject, Fault[]>(objects.map((object) => [object, []]));
  const literals: Literal[] = [];
  for (const [index, object] of objects.entries()) {
    const model = modelOf(object);
    if (model) {
      literals.push(literalOf(object, model, index));
      faults.get(object)?.push(...(await schemaFaults(object, model)));
    } else {
      faults
        .get(object)
        ?.push(
          fault(
            object,
            ['kind'],
            `There is no model of ${object.kind} in ${object.apiVersion}, so nothing checks its fields.`,
            'Correct apiVersion and kind; for a kind of a further operator, add its package or a schema to tools/manifests/src/models.ts.',
          ),
        );
    }
  }
  const program = compile(literals);
  for (const { object, file } of literals) {
    const source = program.getSourceFile(file);
    if (!source) throw new Error(`TypeScript did not read ${file}`);
    const found = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map((diagnostic) => compilerFault(object, source, diagnostic));
    faults.set(object, onePerField([...found, ...(faults.get(object) ?? [])]));
  }
  return faults;
}

function compile(literals: readonly Literal[]): ts.Program {
  const texts = new Map(literals.map(({ file, text }) => [file, text]));
  const host = ts.createCompilerHost(options);
  const withLiterals: ts.CompilerHost = {
    ...host,
    fileExists: (file) => texts.has(file) || host.fileExists(file),
    readFile: (file) => texts.get(file) ?? host.readFile(file),
    getSourceFile: (file, languageVersion, ...rest) => {
      const text = texts.get(file);
      if (text !== undefined) return ts.createSourceFile(file, text, languageVersion, true);
      if (!libraries.has(file)) {
        libraries.set(file, host.getSourceFile(file, languageVersion, ...rest));
      }
      return libraries.get(file);
    },
  };
  return ts.createProgram([...texts.keys()], options, withLiterals);
}

/** What the schema of a model does not allow. */
async function schemaFaults(object: KubernetesObject, model: Model): Promise<Fault[]> {
  const Class = await modelClass(model);
  try {
    new Class(object).validate();
    return [];
  } catch (error) {
    const { errors } = error as Error & { errors?: SchemaError[] };
    if (!errors) throw error;
    const messages = new Map<string, string[]>();
    for (const { instancePath, message: text = 'is not allowed', params = {} } of errors) {
      const path = [...schemaPath(object, instancePath)];
      const { missingProperty } = params;
      if (typeof missingProperty === 'string') path.push(missingProperty);
      const field = fieldName(object, path);
      const problem = typeof missingProperty === 'string' ? 'must be set' : text;
      messages.set(field, [...(messages.get(field) ?? []), `${problem}${detailOf(params)}`]);
    }
    return [...messages].map(([field, texts]) => ({
      object: nameOf(object),
      field,
      problem: `By its schema it ${[...new Set(texts)].join(', or ')}.`,
      fix: 'Correct the value.',
    }));
  }
}

interface SchemaError {
  instancePath: string;
  message?: string;
  params?: Record<string, unknown>;
}

function detailOf({ allowedValues, format }: Record<string, unknown>): string {
  if (Array.isArray(allowedValues)) return `: ${allowedValues.join(', ')}`;
  return typeof format === 'string' ? ` (${format})` : '';
}

/** `/spec/containers/0` as a path. */
function schemaPath(object: unknown, instancePath: string): FieldPath {
  let value = object;
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => {
      const key = Array.isArray(value) ? Number(part) : part;
      value = (value as Record<string | number, unknown> | undefined)?.[key];
      return key;
    });
}

function compilerFault(
  object: KubernetesObject,
  source: ts.SourceFile,
  { code, messageText, start = 0 }: ts.Diagnostic,
): Fault {
  const message = ts.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' ');
  const path = pathAt(source, start);
  const unknown = /'"?([^'"]+)"?' does not exist in type/.exec(message)?.[1];
  if (unknown !== undefined) {
    const meant = /Did you mean to write '"?([^'"]+)"?'/.exec(message)?.[1];
    return fault(
      object,
      path,
      `${unknown} is not a field there.`,
      meant === undefined ? 'Correct its name or its place, or remove it.' : `Write ${meant}.`,
    );
  }
  const missing = /Property '"?([^'"]+)"?' is missing in type/.exec(message)?.[1];
  if (missing !== undefined) {
    return fault(object, [...path, missing], `${missing} is missing.`, 'Set it.');
  }
  return fault(object, path, `The type is wrong (TS${code}): ${message}`, 'Correct the value.');
}

/** The field of the literal in which a place of its file is. */
function pathAt(source: ts.SourceFile, position: number): FieldPath {
  const path: (string | number)[] = [];
  const enter = (node: ts.Node): void => {
    const inside = node
      .getChildren(source)
      .find((child) => child.getStart(source) <= position && position < child.end);
    if (!inside) return;
    if (ts.isPropertyAssignment(inside)) path.push((inside.name as ts.StringLiteral).text);
    if (node.kind === ts.SyntaxKind.SyntaxList && ts.isArrayLiteralExpression(node.parent)) {
      path.push(node.parent.elements.indexOf(inside as ts.Expression));
    }
    enter(inside);
  };
  enter(source);
  return path;
}

/** The compiler and the schema often see the same: what the compiler says comes first. */
function onePerField(faults: readonly Fault[]): Fault[] {
  const seen = new Set<string>();
  return faults.filter(({ field }) => {
    if (seen.has(field)) return false;
    seen.add(field);
    return true;
  });
}

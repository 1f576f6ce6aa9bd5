import { isDeepStrictEqual } from 'node:util';
import { LineCounter, parseAllDocuments } from 'yaml';

/** Something wrong with a text in YAML. */
export interface YamlFault {
  /** From 1. */
  line: number;
  problem: string;
  fix: string;
}

export interface YamlDocuments {
  /** The documents that have content. */
  values: unknown[];
  faults: YamlFault[];
}

export interface ReadYamlOptions {
  /** What is done about scalars that YAML 1.1 and 1.2 read differently: default `refused`, else 1.2 decides. */
  ambiguous?: 'refused' | 'taken';
}

/**
 * Reads YAML strictly: no key twice, no unknown tag, no alias to nothing. A scalar that versions 1.1 and 1.2 read differently
 * (`on`, `0644`, `1_000`) is refused: kubectl and kustomize do not agree about them either.
 */
export function readYaml(
  text: string,
  { ambiguous = 'refused' }: ReadYamlOptions = {},
): YamlDocuments {
  const key = `${ambiguous} ${text}`;
  const known = read.get(key) ?? parse(text, ambiguous);
  read.set(key, known);
  return known;
}

/** By the text: many folders render to the same, and a change in one file leaves the others as they are. */
const read = new Map<string, YamlDocuments>();

function parse(text: string, ambiguous: 'refused' | 'taken'): YamlDocuments {
  const lineCounter = new LineCounter();
  const documentsBy = (version: '1.1' | '1.2') =>
    parseAllDocuments(text, { version, strict: true, uniqueKeys: true, lineCounter });
  const documents = documentsBy('1.2');
  if (!Array.isArray(documents)) return { values: [], faults: [] };
  const faults: YamlFault[] = documents.flatMap(({ errors, warnings }) =>
    [...errors, ...warnings].map(({ pos, message }) => ({
      line: lineCounter.linePos(pos[0]).line,
      problem: `${message.split(/ at line \d+/)[0]}.`,
      fix: /unique/.test(message)
        ? 'Remove one of the two.'
        : 'Correct it, or quote what is meant as text.',
    })),
  );
  if (faults.length > 0) return { values: [], faults };
  const values = documents.map((document) => document.toJS() as unknown);
  const older = ambiguous === 'refused' ? documentsBy('1.1') : documents;
  for (const [index, document] of documents.entries()) {
    const path = firstDifference(values[index], older[index]?.toJS());
    if (path === undefined) continue;
    const node = document.getIn(path, true) as { range?: [number] } | undefined;
    faults.push({
      line: lineCounter.linePos(node?.range?.[0] ?? 0).line,
      problem: `${path.join('.')} is something else in YAML 1.1 than in YAML 1.2.`,
      fix: 'Quote it if it is a text; write true, false or a decimal number otherwise.',
    });
  }
  return { values: values.filter((value) => value !== null && value !== undefined), faults };
}

function firstDifference(
  one: unknown,
  other: unknown,
  path: (string | number)[] = [],
): (string | number)[] | undefined {
  if (isDeepStrictEqual(one, other)) return undefined;
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) {
    for (const [index, item] of one.entries()) {
      const found = firstDifference(item, other[index], [...path, index]);
      if (found) return found;
    }
  } else if (isRecord(one) && isRecord(other)) {
    for (const [key, value] of Object.entries(one)) {
      const found = firstDifference(value, other[key], [...path, key]);
      if (found) return found;
    }
  }
  return path;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

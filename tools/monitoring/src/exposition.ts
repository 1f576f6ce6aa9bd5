/** The labels of one time series. */
export type Labels = Record<string, string>;

/** What an app exposes: the series of each metric; none for a labelled metric that nothing was counted on yet. */
export type Exposition = Map<string, Labels[]>;

const seriesLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+/;
const labelPair = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const typeLine = /^# TYPE (\S+) (\S+)$/;

/** Names of the series that a metric of a type consists of. */
const partsOf: Record<string, (name: string) => string[]> = {
  histogram: (name) => [`${name}_bucket`, `${name}_sum`, `${name}_count`],
  summary: (name) => [name, `${name}_sum`, `${name}_count`],
};

/** Reads the text format of Prometheus. */
export function readExposition(text: string): Exposition {
  const exposition: Exposition = new Map();
  for (const line of text.split('\n')) {
    const [, declared, type] = typeLine.exec(line) ?? [];
    if (declared !== undefined) {
      const names = partsOf[type ?? '']?.(declared) ?? [declared];
      for (const name of names) exposition.set(name, exposition.get(name) ?? []);
    }
    if (line === '' || line.startsWith('#')) continue;
    const [, name, labels] = seriesLine.exec(line) ?? [];
    if (name === undefined) throw new Error(`No line of the text format: ${line}`);
    const pairs = [...(labels ?? '').matchAll(labelPair)];
    const series = Object.fromEntries(pairs.map(([, label, value]) => [label, value]));
    exposition.set(name, [...(exposition.get(name) ?? []), series as Labels]);
  }
  return exposition;
}

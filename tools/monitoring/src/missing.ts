import type { Exposition, Labels } from './exposition.js';
import { type LabelMatcher, selectorsOf } from './promql.js';

/** An expression, and where it stands. */
export interface Use {
  where: string;
  expr: string;
  /** Texts with `{{ $labels.route }}`, or Grafana's `{{route}}`. */
  templates?: readonly string[];
}

/** Labels that Prometheus adds to what it scrapes. */
const targetLabels = new Set(['app', 'instance', 'job']);

/** Prometheus's own metrics about what it scrapes. */
const ofPrometheus = new Set(['up']);

interface Known {
  /** All values of each label, of all apps that have the metric. */
  labels: Map<string, Set<string>>;
  apps: Set<string>;
}

function collect(expositions: ReadonlyMap<string, Exposition>): Map<string, Known> {
  const metrics = new Map<string, Known>();
  for (const [app, exposition] of expositions) {
    for (const [metric, series] of exposition) {
      const known = metrics.get(metric) ?? { labels: new Map(), apps: new Set() };
      metrics.set(metric, known);
      known.apps.add(app);
      for (const labels of series) addValues(known, labels);
    }
  }
  return metrics;
}

function addValues({ labels: known }: Known, labels: Labels): void {
  for (const [label, value] of Object.entries(labels)) {
    known.set(label, (known.get(label) ?? new Set()).add(value));
  }
}

/** Values that a running system need not have at the moment: what goes wrong. */
function isFailure({ label }: LabelMatcher): boolean {
  return label === 'status' || label === 'code';
}

function templateLabels(templates: readonly string[]): string[] {
  return templates
    .flatMap((text) => [...text.matchAll(/\{\{\s*(?:\$labels\.)?([a-z_]+)\b/g)])
    .map(([, label]) => label!);
}

/**
 * What the expressions use and the apps do not have: metrics, metrics of the app that is asked for, labels, and values
 * that are asked for with `=`.
 * @param expositions of each app
 */
export function missingFrom(
  expositions: ReadonlyMap<string, Exposition>,
  uses: readonly Use[],
): string[] {
  const metrics = collect(expositions);
  const missing = uses.flatMap(({ where, expr, templates = [] }) => {
    const selectors = selectorsOf(expr);
    const problems = selectors.flatMap((selector) => {
      const { metric, matchers, grouping } = selector;
      const known = metrics.get(metric);
      const hasLabel = (label: string): boolean =>
        targetLabels.has(label) || known?.labels.has(label) === true;
      if (!known && !ofPrometheus.has(metric)) return [`no app has the metric ${metric}`];
      return [
        ...matchers
          .filter(
            ({ label, operator, value }) =>
              label === 'app' && operator === '=' && known && !known.apps.has(value),
          )
          .map(({ value }) => `${value} has no metric ${metric}`),
        ...[...matchers.map(({ label }) => label), ...grouping]
          .filter((label) => !hasLabel(label))
          .map((label) => `${metric} has no label ${label}`),
        ...matchers
          .filter(
            (matcher) =>
              matcher.operator === '=' && !targetLabels.has(matcher.label) && !isFailure(matcher),
          )
          .filter(({ label, value }) => known?.labels.get(label)?.has(value) === false)
          .map(({ label, value }) => `${metric} has no ${label}="${value}"`),
      ];
    });
    const labels = new Set([
      ...targetLabels,
      ...selectors.flatMap(({ metric }) => [...(metrics.get(metric)?.labels.keys() ?? [])]),
    ]);
    const unknown = templateLabels(templates)
      .filter((label) => !labels.has(label) && label !== 'value')
      .map((label) => `no metric of it has the label ${label} of its text`);
    return [...problems, ...unknown].map((problem) => `${where}: ${problem}`);
  });
  return [...new Set(missing)];
}

import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

export interface LabelMatcher {
  label: string;
  operator: string;
  value: string;
}

/** One metric in an expression, `http_requests_total{status=~"5.."}`. */
export interface Selector {
  metric: string;
  matchers: LabelMatcher[];
  /** Labels by which the expressions around it group or match. */
  grouping: string[];
}

/**
 * The metrics of an expression.
 * @throws Error when it is no PromQL, or selects a metric by something else than its name
 */
export function selectorsOf(expression: string): Selector[] {
  const tree = parser.parse(expression);
  const text = ({ from, to }: SyntaxNode): string => expression.slice(from, to);
  const selectors: Selector[] = [];
  const read = (node: SyntaxNode, outer: readonly string[]): void => {
    if (node.type.isError) {
      throw new Error(`No PromQL at character ${node.from + 1}: ${expression}`);
    }
    const grouping = [...outer, ...groupingOf(node).map(text)];
    if (node.name === 'VectorSelector') {
      const metric = node.getChild('Identifier');
      if (!metric) throw new Error(`Name the metric: ${text(node)}`);
      selectors.push({ metric: text(metric), matchers: matchersOf(node, text), grouping });
      return;
    }
    for (const child of childrenOf(node)) read(child, grouping);
  };
  read(tree.topNode, []);
  return selectors;
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) children.push(child);
  return children;
}

/** The labels in `by (…)`, `without (…)`, `on (…)` and `ignoring (…)` of this expression itself. */
function groupingOf(node: SyntaxNode): SyntaxNode[] {
  return ['AggregateModifier', 'MatchingModifierClause']
    .flatMap((modifier) => node.getChildren(modifier))
    .flatMap((modifier) => modifier.getChildren('GroupingLabels'))
    .flatMap((labels) => labels.getChildren('LabelName'));
}

function matchersOf(selector: SyntaxNode, text: (node: SyntaxNode) => string): LabelMatcher[] {
  const matchers = selector.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  return matchers.map((matcher) => {
    const [label, operator, value] = ['LabelName', 'MatchOp', 'StringLiteral'].map((part) => {
      const node = matcher.getChild(part);
      if (!node) throw new Error(`No matcher of a label: ${text(matcher)}`);
      return text(node);
    }) as [string, string, string];
    return { label, operator, value: value.slice(1, -1) };
  });
}

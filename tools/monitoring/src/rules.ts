import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { rulesFile, ruleTestsFolder } from './paths.js';

export interface Alert {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}

export interface RuleGroup {
  name: string;
  rules: Alert[];
}

/** One file of `promtool test rules`. */
export interface RuleTests {
  rule_files: string[];
  tests: {
    input_series?: { series: string; values: string }[];
    alert_rule_test: { alertname: string; eval_time: string; exp_alerts?: unknown[] }[];
  }[];
}

/** Strict: a key that is there twice is an error. */
async function readYaml(file: string): Promise<unknown> {
  return parse(await readFile(file, 'utf8'), { strict: true, uniqueKeys: true });
}

/** The alerting rules, as they are in the file; by default those about the apps. */
export async function readRuleGroups(file = rulesFile): Promise<RuleGroup[]> {
  const { groups } = (await readYaml(file)) as { groups: RuleGroup[] };
  return groups;
}

/** All alerts of all groups of a file; by default those about the apps. */
export async function readAlerts(file = rulesFile): Promise<Alert[]> {
  return (await readRuleGroups(file)).flatMap(({ rules }) => rules);
}

/** The tests of the rules, by the name of their file without its ending. */
export async function readRuleTests(): Promise<Map<string, RuleTests>> {
  const files = (await readdir(ruleTestsFolder)).toSorted();
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const tests = (await readYaml(join(ruleTestsFolder, file))) as RuleTests;
        return [file.replace(/\.test\.yml$/, ''), tests] as const;
      }),
    ),
  );
}

/** `OutboxStalled` as the name of a file, `outbox-stalled`. */
export function fileNameOf(alert: string): string {
  return alert.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}

import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { dashboardFiles } from './dashboards.js';
import {
  backupRulesFile,
  composeBackupRulesFile,
  dashboardsFolder,
  rulesFile,
  runbooksFolder,
  scrapeFile,
} from './paths.js';
import { selectorsOf } from './promql.js';
import { fileNameOf, readAlerts, readRuleGroups, readRuleTests } from './rules.js';

interface Scraping {
  rule_files: string[];
  scrape_configs: {
    job_name: string;
    static_configs: { targets: string[]; labels: { app: string } }[];
  }[];
}

const ruleFiles = [rulesFile, backupRulesFile, composeBackupRulesFile];
const alerts = (
  await Promise.all(
    ruleFiles.map(async (file) => (await readAlerts(file)).map((alert) => ({ file, ...alert }))),
  )
).flat();
const names = alerts.map(({ alert }) => fileNameOf(alert)).toSorted();
const markdown = (await readdir(runbooksFolder)).filter((file) => file.endsWith('.md'));

describe('the alerting rules', () => {
  it('have names of their own, in named groups', async () => {
    const groups = (await Promise.all(ruleFiles.map((file) => readRuleGroups(file))))
      .flat()
      .map(({ name }) => name);
    expect(new Set(groups).size).toBe(groups.length);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s has an expression, a severity and texts, and nothing else',
    (_name, { file: _file, alert, expr, labels, annotations, ...rest }) => {
      expect(alert).toMatch(/^[A-Z][A-Za-z]+$/);
      expect(selectorsOf(expr)).not.toEqual([]);
      expect(Object.keys(labels)).toEqual(['severity']);
      expect(['critical', 'warning']).toContain(labels.severity);
      expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook_url']);
      expect(annotations.summary).toMatch(/\.$/);
      expect(annotations.description).toMatch(/\.$/);
      expect(annotations.runbook_url).toBe(`docs/runbooks/${fileNameOf(alert)}.md`);
      for (const [key, value] of Object.entries(rest)) {
        expect(key).toBe('for');
        expect(value).toMatch(/^\d+[sm]$/);
      }
    },
  );

  it('have a runbook each, and every runbook has its alert', () => {
    expect(markdown.map((file) => basename(file, '.md')).toSorted()).toEqual(names);
  });

  it.each(alerts.map(({ alert }) => alert))(
    'the runbook of %s says what it means, how to look and how to fix it',
    async (alert) => {
      const text = await readFile(join(runbooksFolder, `${fileNameOf(alert)}.md`), 'utf8');
      const headings = [...text.matchAll(/^#+ .*$/gm)].map(([heading]) => heading);
      expect(headings).toEqual([
        `# ${alert}`,
        '## What it means',
        '## How to look',
        '## How to fix it',
        '## Tried',
      ]);
    },
  );

  it('have tests each, in which they fire and in which they do not', async () => {
    const tests = await readRuleTests();
    expect([...tests.keys()].toSorted()).toEqual(names);
    for (const { alert, file } of alerts) {
      const { rule_files, tests: cases } = tests.get(fileNameOf(alert))!;
      expect(rule_files).toEqual([`../${basename(file)}`]);
      const checks = cases.flatMap(({ alert_rule_test }) => alert_rule_test);
      expect(checks.every(({ alertname }) => alertname === alert)).toBe(true);
      const fires = checks.map(({ exp_alerts = [] }) => exp_alerts.length > 0);
      expect(fires).toEqual(expect.arrayContaining([true, false]));
    }
  });
});

describe('the rule about backups of Docker Compose', () => {
  it('asks for metrics that deploy/backup writes', async () => {
    const script = await readFile(join(workspaceRoot, 'deploy', 'backup'), 'utf8');
    const written = [...script.matchAll(/^# TYPE (\w+) gauge$/gm)].map(([, metric]) => metric);
    const [rule] = await readAlerts(composeBackupRulesFile);
    const asked = new Set(selectorsOf(rule!.expr).map(({ metric }) => metric));
    expect([...asked].filter((metric) => !written.includes(metric))).toEqual([]);
    expect(asked.size).toBe(1);
  });
});

describe('the scrape configuration', () => {
  it('reaches every app on the port that docs/configuration.md gives it', async () => {
    const { rule_files, scrape_configs } = parse(await readFile(scrapeFile, 'utf8')) as Scraping;
    expect(rule_files).toEqual([basename(rulesFile)]);
    expect(scrape_configs.map(({ job_name }) => job_name)).toEqual(['mentorhub']);
    const targets = Object.fromEntries(
      scrape_configs[0]!.static_configs.map(({ targets: [target], labels }) => [
        labels.app,
        target,
      ]),
    );
    const configuration = await readFile(join(workspaceRoot, 'docs/configuration.md'), 'utf8');
    const expected = appNames.map((app) => {
      const section = configuration.split(/^## /m).find((text) => text.startsWith(`${app}\n`));
      const port = /`MANAGEMENT_PORT`.*`(\d+)`\s*\|$/m.exec(section ?? '')?.[1];
      return [app, `${app}:${port}`];
    });
    expect(targets).toEqual(Object.fromEntries(expected));
  });
});

describe('the dashboards', () => {
  it('are as `npm run dashboards` writes them, one for each app', async () => {
    const files = await dashboardFiles();
    expect((await readdir(dashboardsFolder)).toSorted()).toEqual([...files.keys()].toSorted());
    for (const [file, text] of files) {
      expect(await readFile(join(dashboardsFolder, file), 'utf8')).toBe(text);
    }
    expect([...files.keys()].toSorted()).toEqual(appNames.map((app) => `${app}.json`).toSorted());
  });
});

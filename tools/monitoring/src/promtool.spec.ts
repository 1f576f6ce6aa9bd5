import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { monitoringFolder } from './paths.js';
import { findPromtool } from './promtool.js';
import { readRuleTests } from './rules.js';

const run = promisify(execFile);

describe('deploy/monitoring/check.sh', () => {
  let promtool: string;

  beforeAll(async () => {
    promtool = await findPromtool();
  }, 300_000);

  const check = async (folder: string, tool = promtool): Promise<string> => {
    const env = { ...process.env, PROMTOOL: tool };
    return (await run(join(folder, 'check.sh'), { env })).stdout;
  };

  it('finds the rules and the scrape configuration valid, and every test of them passes', async () => {
    const output = await check(monitoringFolder);
    expect(output).toContain('prometheus.yml is valid');
    expect(output.match(/^ {2}SUCCESS$/gm)).toHaveLength((await readRuleTests()).size);
  }, 60_000);

  describe('in a copy', () => {
    let copy: string;

    beforeEach(async () => {
      copy = await mkdtemp(join(tmpdir(), 'mentorhub-rules-'));
      await cp(monitoringFolder, copy, {
        recursive: true,
        // The tests of one alert will do.
        filter: (file) => !file.endsWith('.test.yml') || file.endsWith('/database-down.test.yml'),
      });
      return () => rm(copy, { recursive: true, force: true });
    });

    const replace = async (file: string, from: string, to: string): Promise<void> => {
      const text = await readFile(join(copy, file), 'utf8');
      expect(text).toContain(from);
      await writeFile(join(copy, file), text.replace(from, to));
    };

    it('fails for an alert that fires later than its test says', async () => {
      await replace(
        'alerts.yml',
        'expr: db_up == 0\n        for: 30s',
        'expr: db_up == 0\n        for: 30m',
      );
      await expect(check(copy)).rejects.toThrow('alertname: DatabaseDown');
    });

    it('fails for an expression that Prometheus does not understand', async () => {
      await replace('alerts.yml', 'db_up == 0', 'db_up = 0');
      await expect(check(copy)).rejects.toThrow('FAILED');
    });

    it('fails for a setting that Prometheus does not know', async () => {
      await replace('prometheus.yml', 'scrape_interval', 'scrape_intervall');
      await expect(check(copy)).rejects.toThrow('scrape_intervall');
    });
  });

  it('says what to install where there is no promtool', async () => {
    await expect(check(monitoringFolder, 'no-such-promtool')).rejects.toThrow(
      'Install the package prometheus',
    );
  });
});

describe('a machine without promtool', () => {
  it('is told how to install it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mentorhub-empty-'));
    await expect(findPromtool({ path: '', folder, fetch: false })).rejects.toThrow(
      /promtool[^]*brew install prometheus[^]*apt-get install prometheus/,
    );
    await rm(folder, { recursive: true });
  });
});

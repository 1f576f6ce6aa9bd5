import { describe, expect, it } from 'vitest';
import { isCurrent } from './install.mjs';
import { summarise } from './summary.mjs';
import { checkNode, explain } from './terminal.mjs';

describe('whether packages have to be installed', () => {
  const wanted = {
    '': { version: '0.1.0' },
    'apps/chat': { version: '0.1.0' },
    'node_modules/pg': { version: '8.0.0' },
    'node_modules/only-on-macos': { version: '1.0.0', optional: true },
  };

  it('is no when every package for this machine is there', () => {
    expect(isCurrent(wanted, { 'node_modules/pg': { version: '8.0.0' } })).toBe(true);
  });

  it('is yes when one has another version or is missing', () => {
    expect(isCurrent(wanted, { 'node_modules/pg': { version: '8.0.1' } })).toBe(false);
    expect(isCurrent(wanted, {})).toBe(false);
  });
});

describe('the numbers at the end of the tests', () => {
  const passed = { numPassedTests: 3, numFailedTests: 0, testResults: [] };

  it('are those of the report', () => {
    expect(summarise(passed, { failedChecks: 0, exitCode: 0 })).toEqual({ passed: 3, failed: 0 });
  });

  it('count a failed check', () => {
    expect(summarise(passed, { failedChecks: 1, exitCode: 0 }).failed).toBe(1);
  });

  it('count a file that fails before its first test', () => {
    const broken = { ...passed, testResults: [{ status: 'failed', assertionResults: [] }] };
    expect(summarise(broken, { failedChecks: 0, exitCode: 1 }).failed).toBe(1);
  });

  it('never say that nothing failed after a bad end', () => {
    expect(summarise(passed, { failedChecks: 0, exitCode: 1 }).failed).toBe(1);
    expect(summarise(undefined, { failedChecks: 0, exitCode: 1 })).toEqual({
      passed: 0,
      failed: 1,
    });
  });
});

it('refuses a Node.js that is too old, with a remedy', () => {
  expect(() => checkNode('18.20.4')).toThrow(/needs 20\.19 or newer[^]*nodejs\.org/);
  expect(() => checkNode('20.18.1')).toThrow(/This is Node\.js 20\.18\.1/);
  expect(() => checkNode('20.19.0')).not.toThrow();
});

it('explains a full disk and a folder that may not be written to', () => {
  expect(explain('npm error code ENOSPC')).toMatch(/No space is left on the disk/);
  expect(explain('EACCES: permission denied, mkdir')).toMatch(/cannot be written to/);
  expect(explain('something else')).toBeUndefined();
});

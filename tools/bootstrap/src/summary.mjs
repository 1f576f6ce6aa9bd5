/**
 * @typedef {object} TestReport what Vitest's JSON reporter writes
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {{ status: string, assertionResults: unknown[] }[]} testResults
 */

/**
 * Counts what passed and failed. A file that fails before its first test, a failed check and a test run
 * that ends badly for another reason count as a failure each, so that a bad end never reads as "0 failed".
 *
 * @param {TestReport | undefined} report undefined when no tests were run
 * @param {{ failedChecks: number, exitCode: number }} run
 */
export function summarise(report, { failedChecks, exitCode }) {
  const brokenFiles = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length;
  const tests = (report?.numFailedTests ?? 0) + brokenFiles;
  const failed = (exitCode !== 0 && tests === 0 ? 1 : tests) + failedChecks;
  return { passed: report?.numPassedTests ?? 0, failed };
}

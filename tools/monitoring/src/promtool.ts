import { findTool, type FindToolOptions } from '@mentorhub/local-system';

/**
 * The path of promtool, which checks and tests alerting rules: on the PATH, in our own folder, or fetched.
 *
 * @throws {StartProblem} with the command to install it when there is none and none can be fetched.
 */
export function findPromtool(options?: FindToolOptions): Promise<string> {
  return findTool(
    {
      name: 'promtool',
      // Debian 12 and Ubuntu have it in this package, later releases of Debian in one of its own, which this one needs.
      package: 'prometheus',
      archived: {
        amd64: {
          path: 'pool/main/p/prometheus/promtool_2.53.3+ds1-2_amd64.deb',
          sha256: 'ff27654eacc95abd846d344e91fe4ba3b4f0588a50d606ed1d2f09ad3408722f',
        },
        arm64: {
          path: 'pool/main/p/prometheus/promtool_2.53.3+ds1-2_arm64.deb',
          sha256: 'cc1d5889b4d2e2ef92a6984039d88c11993ad3c73f5e74acd3ee15adaefb764c',
        },
      },
      missing: 'promtool, which checks the alerting rules, is not installed.',
      versionArguments: ['--version'],
      isVersion: (output) => output.startsWith('promtool, version'),
      howToInstall: [
        'macOS          brew install prometheus',
        'Debian, Ubuntu sudo apt-get install prometheus',
        'others         https://prometheus.io/download',
      ],
    },
    options,
  );
}

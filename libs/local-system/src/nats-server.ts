import { findTool, type FindToolOptions, type Tool } from './tools.js';

const natsServer: Tool = {
  name: 'nats-server',
  package: 'nats-server',
  missing: 'nats-server, the message broker, is not installed.',
  versionArguments: ['--version'],
  isVersion: (output) => output.includes('nats-server'),
  howToInstall: [
    'macOS          brew install nats-server',
    'Windows        winget install NATSAuthors.NATSServer   (or: choco install nats-server)',
    'Debian, Ubuntu sudo apt-get install nats-server',
    'Docker         docker run -d -p 4222:4222 nats:2 -js',
    '               and then: NATS_URL=nats://localhost:4222 npm start',
  ],
};

/**
 * The path of a nats-server binary: on the PATH, in our own folder, or fetched.
 *
 * @throws {StartProblem} with the command to install it when there is none and none can be fetched.
 */
export function findNatsServer(options?: FindToolOptions): Promise<string> {
  return findTool(natsServer, options);
}

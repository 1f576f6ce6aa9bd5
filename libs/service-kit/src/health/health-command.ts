import { get } from 'node:http';
import { text } from 'node:stream/consumers';
import { readEnvironment } from '../config/read-environment.js';
import { port, type RawEnvironment, text as textVariable } from '../config/variables.js';

/** A check of readiness has 2 s, and health checks of container engines usually have 5. */
const defaultLimitMs = 4000;

/** Where a process that listens everywhere is reached from its own machine. */
const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

function read(address: URL, limitMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(limitMs);
    const request = get(address, { agent: false, signal }, (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, body }),
        (error: unknown) => reject(error as Error),
      );
    });
    request.once('error', (error) => {
      reject(signal.aborted ? new Error(`no answer within ${limitMs} ms`) : error);
    });
  });
}

/**
 * Asks the app in this container whether it is ready, for engines that run a command to learn it. Writes what is wrong
 * to the standard error, which `docker inspect` shows.
 *
 * @param defaultPort the default of the app's MANAGEMENT_PORT
 * @param limitMs how long the app may take to answer
 * @returns the exit code: 0 when the app is ready, else 1
 */
export async function healthCommand(
  environment: RawEnvironment,
  defaultPort: number,
  limitMs = defaultLimitMs,
): Promise<0 | 1> {
  try {
    const config = readEnvironment(environment, {
      MANAGEMENT_PORT: port({ default: defaultPort, desc: 'Where health is served' }),
      MANAGEMENT_HOST: textVariable({ default: '0.0.0.0', desc: 'Where the port is bound' }),
    });
    const host = everywhere[config.MANAGEMENT_HOST] ?? config.MANAGEMENT_HOST;
    const address = new URL('http://localhost/health/ready');
    address.hostname = host.includes(':') ? `[${host}]` : host;
    address.port = String(config.MANAGEMENT_PORT);
    const { status, body } = await read(address, limitMs);
    if (status === 200) return 0;
    process.stderr.write(`${address.href} answered ${status}: ${body}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
  return 1;
}

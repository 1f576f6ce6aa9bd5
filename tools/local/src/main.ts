/* The local system behind npm start: everything on this machine, until Ctrl-C. */
import { join, resolve } from 'node:path';
import {
  type AppName,
  type Crash,
  StartProblem,
  startSystem,
  type System,
  workspaceRoot,
} from '@mentorhub/local-system';
import { Reporter } from './terminal.js';
import { watchBuilds } from './watch-builds.js';
import { welcome } from './welcome.js';

const startedAt = Date.now();
const reporter = new Reporter({
  write: (text) => process.stdout.write(text),
  colours: process.stdout.isTTY && !process.env['NO_COLOR'],
});
const dataDirectory = process.env['DATA_DIRECTORY']
  ? resolve(process.env['DATA_DIRECTORY'])
  : join(workspaceRoot, '.data');

let system: System | undefined;
let stopRequests = 0;
let endWatching: (() => void) | undefined;

function reportCrash({ name, reason, lastLines, restartsIn }: Crash): void {
  if (stopRequests > 0) return;
  if (restartsIn === undefined) {
    reporter.problem(`${name} ended (${reason}) and is not started again:`);
    for (const line of lastLines) reporter.line(`  ${line}`);
  } else {
    reporter.notice(`${name} ended (${reason}); it is started again in ${restartsIn / 1000} s`);
  }
}

/** The first request stops in order, the second one at once. */
function requestStop(): void {
  stopRequests += 1;
  endWatching?.();
  if (stopRequests === 1) {
    reporter.line('\nStopping; once more to force it …');
    // During the start, it is the start that ends and cleans up.
    if (system !== undefined) void end(system.stop());
    else starting.abort();
  } else if (stopRequests === 2 && system !== undefined) {
    void end(system.abort());
  } else if (stopRequests > 2) {
    process.exit(130);
  }
}

async function end(stopping: Promise<void>): Promise<void> {
  await stopping;
  reporter.line('Stopped.');
  process.exit(0);
}

const starting = new AbortController();

process.on('SIGINT', requestStop);
process.on('SIGTERM', requestStop);
process.on('SIGHUP', requestStop);
// The script that started us is gone, however it ended.
process.on('disconnect', requestStop);
process.channel?.unref();
// The terminal may be gone before us.
process.stdout.on('error', () => undefined);

async function restartChanged(running: System, apps: AppName[]): Promise<void> {
  reporter.step(`restarting ${apps.join(', ')}`);
  try {
    await Promise.all(apps.map((app) => running.restart(app)));
    await Promise.all(apps.map((app) => running.ready(app)));
    reporter.step('ready');
  } catch (error) {
    reporter.problem(error instanceof Error ? error.message : String(error));
  }
}

try {
  reporter.step('starting MentorHub');
  const started = await startSystem({
    dataDirectory,
    ports: 'fixed',
    demoData: true,
    signal: starting.signal,
    onProgress: (message) => reporter.step(message),
    onLog: (app, replica, line) => reporter.log(app, replica, line),
    onCrash: reportCrash,
  });
  system = started;
  reporter.box(welcome(started, (Date.now() - startedAt) / 1000));
  if (process.argv.includes('--watch')) {
    let work = Promise.resolve();
    endWatching = watchBuilds(workspaceRoot, (apps) => {
      work = work.then(() => restartChanged(started, apps));
    });
    reporter.line(
      'Watching: whatever is saved is compiled, and the apps it changes are restarted.',
    );
  }
} catch (error) {
  if (stopRequests > 0) {
    reporter.line('Stopped.');
    process.exit(0);
  }
  if (error instanceof StartProblem) reporter.problem(error.message);
  else reporter.problem(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}

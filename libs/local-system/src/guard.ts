import { type ChildProcess, spawn } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The signal that stops a guarded process before it is killed. */
export type StopSignal = 'SIGINT' | 'SIGTERM';

/**
 * Reads `+ <pid> <signal>`, `- <pid>` and `d <folder>` lines. When its input ends, which the kernel
 * sees to however its parent died, it stops what is left, waits for it, kills the rest and removes the
 * folders. Two seconds after the parent are enough for a database with everything in its log; apps
 * that drain longer are killed, because nobody is left who waits for them.
 */
const reaper = `
trap '' INT TERM HUP
processes=' '
folders=''
while read -r action value signal; do
  case $action in
    +) processes="$processes$value:$signal " ;;
    -) rest=' '
       for entry in $processes; do
         [ "\${entry%%:*}" = "$value" ] || rest="$rest$entry "
       done
       processes=$rest ;;
    d) folders="$folders
$value" ;;
  esac
done
for entry in $processes; do
  kill -\${entry#*:} "\${entry%%:*}" 2>/dev/null
done
tries=0
while [ $tries -lt 50 ]; do
  left=''
  for entry in $processes; do
    kill -0 "\${entry%%:*}" 2>/dev/null && left="$left \${entry%%:*}"
  done
  [ -z "$left" ] && break
  sleep 0.1
  tries=$((tries + 1))
done
for pid in $left; do kill -KILL -"$pid" 2>/dev/null; kill -KILL "$pid" 2>/dev/null; done
IFS='
'
for folder in $folders; do [ -n "$folder" ] && rm -rf "$folder"; done
`;

let reaperInput: Socket | undefined;

/** The reaper's input, starting the reaper on first use. Windows has no shell for it and does without. */
function writeToReaper(line: string): void {
  if (process.platform === 'win32') return;
  if (reaperInput === undefined) {
    const child = spawn('sh', ['-c', reaper], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    child.on('error', () => undefined);
    child.unref();
    const input = child.stdin;
    if (!(input instanceof Socket)) return;
    input.on('error', () => undefined);
    input.unref();
    reaperInput = input;
  }
  reaperInput.write(`${line}\n`);
}

/**
 * Makes sure that `child` does not outlive this process, however this process ends, `kill -9`
 * included. `child` must have been spawned with `detached: true`, so that a Ctrl-C of the terminal
 * reaches this process alone, which then stops its children in order.
 */
export function guard(child: ChildProcess, signal: StopSignal): void {
  const { pid } = child;
  if (pid === undefined) return;
  writeToReaper(`+ ${pid} ${signal.slice(3)}`);
  child.once('exit', () => writeToReaper(`- ${pid}`));
}

/** Has `directory` removed when this process is gone, also when it had no time to do so itself. */
export function removeAfterwards(directory: string): void {
  writeToReaper(`d ${directory}`);
}

/** Whether a process with this id exists, of any user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The command line of a process, or '' when it is gone or cannot be read. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    }
    if (process.platform === 'win32') return '';
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

/** Waits until `pid` is gone, at most `milliseconds`; says whether it is. */
export async function waitForEnd(pid: number, milliseconds: number): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (isAlive(pid)) {
    if (Date.now() > end) return false;
    await delay(25);
  }
  return true;
}

/** Resolves when `child` has ended; at once when it already has. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
  });
}

/** Asks `child` to stop with `signal`, kills it after `milliseconds`, and resolves when it is gone. */
export async function stopChild(
  child: ChildProcess,
  signal: StopSignal,
  milliseconds: number,
): Promise<void> {
  const end = ended(child);
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
  await end;
  clearTimeout(timer);
}

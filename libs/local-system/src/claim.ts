import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './guard.js';
import { errorCode, explainFileError, StartProblem } from './problem.js';

interface Claim {
  pid: number;
  /** When that process was started, so that another process with the same id is not mistaken for it. */
  born: string;
}

const fileName = 'running.json';

/**
 * Takes a data folder for this process alone. A claim of a process that is gone, also of one that was
 * killed, does not count. Gives the function that gives the folder back.
 *
 * @throws {StartProblem} when a living process has it, or the folder cannot be written to.
 */
export async function claimFolder(directory: string): Promise<() => Promise<void>> {
  const file = join(directory, fileName);
  const own = join(directory, `running-${process.pid}.json`);
  try {
    await mkdir(directory, { recursive: true });
    const claim: Claim = { pid: process.pid, born: birth(process.pid) };
    await writeFile(own, JSON.stringify(claim));
    for (let tries = 0; ; tries += 1) {
      try {
        // Unlike a file that is opened and then written, a link appears with its content or not at all.
        await link(own, file);
        break;
      } catch (error) {
        if (errorCode(error) !== 'EEXIST' || tries === 3) throw error;
      }
      const holder = await folderHolder(directory);
      if (holder !== undefined) {
        throw new StartProblem(
          `MentorHub is already running on the data in ${directory} (process ${holder}).`,
          `Use it, or stop it with Ctrl-C in its terminal or with: kill ${holder}\nA second one beside it needs its own folder and ports: DATA_DIRECTORY=/path PORT_EDGE=8100 … npm start`,
        );
      }
      await rm(file, { force: true });
    }
  } catch (error) {
    throw explainFileError(error, directory);
  } finally {
    await rm(own, { force: true }).catch(() => undefined);
  }
  return async () => {
    await rm(file, { force: true });
  };
}

/** The id of the process that runs on the data in `directory`, or undefined when none does. */
export async function folderHolder(directory: string): Promise<number | undefined> {
  const text = await readFile(join(directory, fileName), 'utf8').catch(() => '');
  if (text === '') return undefined;
  try {
    const claim = JSON.parse(text) as Partial<Claim>;
    const { pid, born } = claim;
    return pid !== undefined && isAlive(pid) && birth(pid) === born ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A text that differs between two processes that had the same id; '' where it is unknown. */
function birth(pid: number): string {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The command, in brackets, may contain spaces; start time is field 22, the 20th after it.
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return `${boot} ${started}`;
    }
    if (process.platform === 'win32') return '';
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

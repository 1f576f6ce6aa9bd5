import { parseArgs } from 'node:util';
import { runTask, TaskProblem } from '@mentorhub/service-kit';
import { ask, readPassword } from './administration/ask.js';
import { readConfig } from './config.js';

const usage = `Usage: node create-admin.js [--email ADDRESS] [--password-file FILE]

Makes the user with that address an administrator, or creates one. Asks for the address unless it is given.

  --email ADDRESS        whose account it is
  --password-file FILE   has the password of a new account; - is the standard input. Without it the password is asked for,
                         or read from the standard input where that is no terminal. It is never an argument, as other users
                         of the machine see those.
`;

function readArguments(): { email?: string; passwordFile?: string } {
  try {
    const { values } = parseArgs({
      options: { email: { type: 'string' }, 'password-file': { type: 'string' } },
    });
    return { email: values.email, passwordFile: values['password-file'] };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return process.exit(64);
  }
}

const { email: given, passwordFile } = readArguments();
if (given === undefined && !process.stdin.isTTY) {
  process.stderr.write(`Name the address with --email.\n\n${usage}`);
  process.exit(64);
}

await runTask(
  'identity',
  () => readConfig(process.env),
  async (config) => {
    const email = (given ?? (await ask('Email address: '))).trim().toLowerCase();
    if (email.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(email)) {
      throw new TaskProblem('This is no email address: write it such as admin@mentorhub.example.');
    }
    const { createAdministrator } = await import('./administration/create-administrator.js');
    const { outcome, id } = await createAdministrator(config, {
      email,
      password: () => readPassword(passwordFile),
    });
    const what = {
      created: `User ${id} was created and is an administrator.`,
      promoted: `User ${id} is an administrator now, and has to sign in again.`,
      present: `User ${id} is an administrator already.`,
    };
    process.stdout.write(`${what[outcome]}\n`);
  },
);

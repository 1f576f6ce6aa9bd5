import { parseArgs } from 'node:util';
import type { Exchange } from '@mentorhub/testing';
import { story } from './story.js';

/*
 * Plays the story against a running system and prints it as a transcript:
 *
 *   npm run demo -- [--url http://localhost:8000] [--loop]
 *
 * Exit code 1 and the failed scene when the system does not keep its promises.
 */

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: process.env.PUBLIC_URL ?? 'http://localhost:8000' },
    'admin-email': { type: 'string', default: 'admin@demo.mentorhub.example' },
    'admin-password': { type: 'string', default: 'mentorhub-demo' },
    loop: { type: 'boolean', default: false },
  },
});

/** Keeps a line readable: long bodies are cut, secrets are not printed. */
function summary(body: unknown): string {
  const text = JSON.stringify(body, (key, value: unknown) =>
    /token|ticket|password/.test(key) && typeof value === 'string' ? '…' : value,
  );
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}

function print({ actor, action, status, body }: Exchange): void {
  // Waiting for a mail is asking again and again; the transcript shows the story, not the polling.
  if (action.startsWith('GET /dev/mail')) return;
  const result = status === undefined ? '' : ` → ${status}`;
  const detail = typeof body === 'string' ? '' : ` ${summary(body)}`;
  console.log(`   ${actor.padEnd(13)} ${action}${result}${detail}`);
}

/** Prints an exchange unless it repeats the one before, as polling does. */
function transcript(): (exchange: Exchange) => void {
  let last = '';
  return (exchange) => {
    const line = JSON.stringify(exchange);
    if (line === last) return;
    last = line;
    print(exchange);
  };
}

async function play(): Promise<void> {
  const scenes = story({
    baseUrl: values.url,
    admin: { email: values['admin-email'], password: values['admin-password'] },
    record: transcript(),
  });
  for (const [index, scene] of scenes.entries()) {
    console.log(`\n${index + 1}. ${scene.title}`);
    await scene.play();
  }
}

async function isRunning(): Promise<boolean> {
  try {
    return (await fetch(new URL('/health/ready', values.url))).ok;
  } catch {
    return false;
  }
}

if (!(await isRunning())) {
  console.error(
    `Nothing is ready at ${values.url}. Start the system with \`npm start\` in another terminal.`,
  );
  process.exit(1);
}
try {
  do await play();
  while (values.loop);
  console.log('\nEvery scene passed.');
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

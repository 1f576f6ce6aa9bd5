import { parseArgs } from 'node:util';
import { runTask } from '@mentorhub/service-kit';
import { readConfig } from './config.js';

const usage = `Usage: node rotate-keys.js [--now]

Makes the next key that signs access tokens. It is published now and signs in 15 minutes, so that nobody notices; tokens
of the key before it work until they expire.

  --now   because a key may be in other hands: the new key signs at once, and no token of the keys before it works any
          more. Clients get new tokens with their refresh tokens.
`;

function readArguments(): { atOnce: boolean } {
  try {
    const { values } = parseArgs({ options: { now: { type: 'boolean', default: false } } });
    return { atOnce: values.now };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return process.exit(64);
  }
}

const { atOnce } = readArguments();

await runTask(
  'identity',
  () => readConfig(process.env),
  async (config, logger) => {
    const { announceKeys, rotateKeys } = await import('./keys/rotate-keys.js');
    const { kid, signsFrom, withdrawn, isNew } = await rotateKeys(config, { atOnce });
    const from = signsFrom.toISOString();
    process.stdout.write(
      isNew
        ? `Key ${kid} signs access tokens from ${from} on.\n`
        : `Key ${kid} is published already and signs from ${from} on; --now would replace it at once.\n`,
    );
    for (const old of withdrawn) process.stdout.write(`Key ${old} is withdrawn.\n`);
    try {
      await announceKeys(config, withdrawn);
    } catch (error) {
      logger.warn(
        'The gateways were not notified; they look for themselves within a minute.',
        error,
      );
    }
  },
);

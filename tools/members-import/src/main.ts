/* npm run members:import -- file.csv: imports members through the API of a running platform. */
import { run } from './command.js';

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  output: (text) => process.stdout.write(text),
  screen: {
    write: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
  },
});

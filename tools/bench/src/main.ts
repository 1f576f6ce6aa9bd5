import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Actor } from '@mentorhub/testing';
import { loadRows, memoryRows, type Round, type Row } from './rows.js';
import { signUp, type Stack, startStack } from './stack.js';
import { spread } from './statistics.js';

/*
 * npm run bench -- [--rounds 5] [--only "mentors"]
 *
 * Starts a stack of its own and the bare reference programs, loads both in turn, and prints the ratio of each row. Only
 * the ratio means something: absolute figures of shared machines do not.
 */

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string', default: '' } },
});
const rounds = Number(values.rounds);

const show = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(2));

function range(numbers: number[]): string {
  const { median, lowest, highest } = spread(numbers);
  return `${show(median)} (${show(lowest)}–${show(highest)})`;
}

function judge(row: Row, measured: readonly Round[]): string[] {
  const ours = measured.map((round) => round.ours);
  const references = measured.flatMap(({ reference }) =>
    reference === undefined ? [] : [reference],
  );
  const ratios = measured.flatMap((round) =>
    round.reference === undefined ? [] : [round.ours / round.reference],
  );
  const { median } = spread('ratio' in row.bar ? ratios : ours);
  const [wanted, met] =
    'ratio' in row.bar
      ? [`ratio ≥ ${row.bar.ratio.toFixed(2)}`, median >= row.bar.ratio]
      : 'atMost' in row.bar
        ? [`≤ ${row.bar.atMost} ${row.unit}`, median <= row.bar.atMost]
        : [`≥ ${row.bar.atLeast} ${row.unit}`, median >= row.bar.atLeast];
  return [
    row.name,
    `${range(ours)} ${row.unit}`,
    references.length > 0 ? range(references) : '–',
    ratios.length > 0 ? range(ratios) : '–',
    wanted,
    met ? 'met' : 'MISSED',
  ];
}

function print(table: readonly string[][]): void {
  const widths = table[0]!.map((_, column) =>
    Math.max(...table.map((cells) => cells[column]!.length)),
  );
  for (const [index, cells] of table.entries()) {
    console.log(`| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
    if (index === 0) console.log(`| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  }
}

const wanted = ({ name }: Row): boolean => name.toLowerCase().includes(values.only.toLowerCase());

async function measure(stack: Stack): Promise<string[][]> {
  const [idle, loaded] = [memoryRows.filter(wanted), loadRows.filter(wanted)];
  const measured = new Map<Row, Round[]>([...idle, ...loaded].map((row) => [row, []]));

  async function playRounds(rows: readonly Row[], people: readonly Actor[]): Promise<void> {
    for (let round = 1; round <= rounds; round += 1) {
      for (const row of rows) {
        const { ours, reference } = await row.measure(stack, people);
        measured.get(row)!.push({ ours, reference });
        const compared = reference === undefined ? '' : `, reference ${show(reference)}`;
        console.error(
          `round ${round}/${rounds}  ${row.name}: ${show(ours)} ${row.unit}${compared}`,
        );
      }
    }
  }

  // Before anything has loaded the processes: a heap that has grown does not shrink.
  await playRounds(idle, []);
  if (loaded.length > 0) {
    console.error('Signing 200 people up …');
    const people = await signUp(stack.api, 200);
    console.error('A round that does not count: compilers and caches warm up, on both sides …');
    for (const row of loaded) await row.measure(stack, people);
    await playRounds(loaded, people);
  }
  return [...measured].map(([row, results]) => judge(row, results));
}

console.error('Starting the system and the reference programs …');
const stack = await startStack((line) => console.error(line));
try {
  const table = await measure(stack);
  const [cpu] = cpus();
  console.log(
    `\n${cpus().length} cores, ${cpu?.model.trim()}, Node ${process.version}, ${rounds} rounds`,
  );
  console.log('Median (lowest–highest). Ratio: ours to the reference, within the same round.\n');
  print([['row', 'ours', 'reference', 'ratio', 'bar', ''], ...table]);
} finally {
  await stack.stop();
}

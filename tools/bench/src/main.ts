import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { Actor } from '@mentorhub/testing';
import type { Round, Row } from './measurement.js';
import { loadRows, memoryRows } from './rows.js';
import { signUp, type Stack, startStack, verifyAddresses } from './stack.js';
import { median, spread } from './statistics.js';

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

function range(numbers: readonly number[]): string {
  const { median: middle, lowest, highest } = spread(numbers);
  return `${show(middle)} (${show(lowest)}–${show(highest)})`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** How busy the load itself was, as a share of one core: ours, and the reference's. */
function generatorCpu(measured: readonly Round[]): string {
  const ours = median(measured.map((round) => round.ours.generatorCpu));
  const references = measured.flatMap(({ reference }) => reference?.generatorCpu ?? []);
  return references.length === 0
    ? percent(ours)
    : `${percent(ours)} / ${percent(median(references))}`;
}

function judge(row: Row, measured: readonly Round[]): string[] {
  const ours = measured.map((round) => round.ours.value);
  const references = measured.flatMap(({ reference }) => reference?.value ?? []);
  const ratios = measured.flatMap((round) =>
    round.reference === undefined ? [] : [round.ours.value / round.reference.value],
  );
  const backlogs = measured.flatMap(({ backlog }) => backlog ?? []);
  return [
    row.name,
    `${range(ours)} ${row.unit}`,
    references.length > 0 ? range(references) : '–',
    ratios.length > 0 ? range(ratios) : '–',
    generatorCpu(measured),
    backlogs.length > 0 ? range(backlogs) : '–',
    ...verdict(row, { ours, ratios }),
  ];
}

/** The bar, and whether the median meets it. */
function verdict(
  { bar, unit }: Row,
  { ours, ratios }: { ours: readonly number[]; ratios: readonly number[] },
): [bar: string, verdict: string] {
  if (bar === undefined) return ['–', ''];
  const [wanted, met] =
    'ratio' in bar
      ? [`ratio ≥ ${bar.ratio.toFixed(2)}`, median(ratios) >= bar.ratio]
      : 'atMost' in bar
        ? [`≤ ${bar.atMost} ${unit}`, median(ours) <= bar.atMost]
        : [`≥ ${bar.atLeast} ${unit}`, median(ours) >= bar.atLeast];
  return [wanted, met ? 'met' : 'MISSED'];
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
        const order = round % 2 === 1 ? 'ours first' : 'reference first';
        const result = await row.measure(stack, people, order);
        measured.get(row)!.push(result);
        const compared = result.reference ? `, reference ${show(result.reference.value)}` : '';
        console.error(
          `round ${round}/${rounds}  ${row.name}: ${show(result.ours.value)} ${row.unit}${compared}`,
        );
      }
    }
  }

  // Before anything has loaded the processes: a heap that has grown does not shrink.
  await playRounds(idle, []);
  if (loaded.length > 0) {
    console.error('Signing 200 people up …');
    const people = await signUp(stack.api, 200);
    await verifyAddresses(stack, people);
    console.error('A round that does not count: compilers and caches warm up, on both sides …');
    for (const row of loaded) await row.measure(stack, people, 'ours first');
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
  console.log('Median (lowest–highest). Ratio: ours to the reference, within the same round.');
  console.log('Load: CPU time of the load itself, in shares of a core, ours / reference.');
  console.log('Backlog: events not yet handled when our load ended.\n');
  print([['row', 'ours', 'reference', 'ratio', 'load', 'backlog', 'bar', ''], ...table]);
} finally {
  await stack.stop();
}

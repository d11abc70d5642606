import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { CASES } from './cases.js';
import type { Case, Outcome } from './outcome.js';

const USAGE = `Breaks a real platform in every way of the fault matrix, and compares what clients saw
with the log and the read models.

  npm run faults -- [ROW …] [--seed N] [--write] [--json]

${CASES.map(({ row, who, fault }) => `  ${row.padEnd(4)} ${who.padEnd(11)} ${fault}`).join('\n')}

  ROW       only these rows, for example T29
  --seed N  what moments and delays are drawn from; printed
  --write   writes these rows into the table of docs/reference/faults.md; others stay
  --json    ends with one JSON object on a line

Exit code 1 if anything is off.`;

const REFERENCE = 'docs/reference/faults.md';
/** Between these lines of the reference stands the table. */
const BEGIN = '<!-- table -->';
const END = '<!-- /table -->';

type Result = Readonly<{ case: Case; outcome: Outcome; load: number }>;

const attempt = async (one: Case, seed: number): Promise<Outcome> => {
  try {
    return await one.run(seed);
  } catch (error) {
    return { faults: [error instanceof Error ? error.message : String(error)] };
  }
};

const verdictOf = ({ faults, skipped }: Outcome): string => {
  if (skipped !== undefined) return `skipped: ${skipped}`;
  return faults.length === 0 ? 'nothing lost, doubled or out of order' : faults.join('; ');
};

const secondsOf = ({ recoveryMs }: Outcome): string =>
  recoveryMs === undefined ? '' : (recoveryMs / 1_000).toFixed(2);

const line = ({ case: { row, who, fault }, outcome, load }: Result): string =>
  `| ${[row, who, fault, verdictOf(outcome), secondsOf(outcome), outcome.note ?? '', load.toFixed(1)].join(' | ')} |`;

const tableOf = (lines: readonly string[]): string =>
  [
    '| Row | Who | Fault | Result | Recovery (s) | How | Load |',
    '| --- | --- | ----- | ------ | ------------ | --- | ---- |',
    ...lines,
  ].join('\n');

/** Row and fault, by which a line of the table is found again. */
const keyOf = (tableLine: string): string => {
  const [, row = '', , fault = ''] = tableLine.split('|');
  return `${row.trim()} ${fault.trim()}`;
};

const write = async (results: readonly Result[]): Promise<void> => {
  const text = await readFile(REFERENCE, 'utf8');
  const [before = '', rest = ''] = text.split(BEGIN);
  const [old = '', after = ''] = rest.split(END);
  const lines = new Map([...old.split('\n'), ...results.map(line)].map((one) => [keyOf(one), one]));
  const kept = CASES.flatMap(({ row, fault }) => lines.get(`${row} ${fault}`) ?? []);
  await writeFile(REFERENCE, `${before}${BEGIN}\n\n${tableOf(kept)}\n\n${END}${after}`);
};

const tryAll = async (wanted: readonly Case[], seed: number): Promise<readonly Result[]> => {
  const results: Result[] = [];
  for (const one of wanted) {
    const outcome = await attempt(one, seed);
    const result = { case: one, outcome, load: loadavg()[0] ?? 0 };
    results.push(result);
    console.error(line(result));
  }
  return results;
};

const run = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string' },
      write: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes a number, not ${values.seed}.`);
  const unknown = positionals.filter((row) => !CASES.some((one) => one.row === row));
  if (unknown.length > 0) throw new Error(`There is no row ${unknown.join(', ')}.\n\n${USAGE}`);
  console.error(`Seed ${seed}`);
  const wanted = CASES.filter(({ row }) => positionals.length === 0 || positionals.includes(row));
  const results = await tryAll(wanted, seed);
  if (values.write) await write(results);
  if (values.json) {
    const rows = results.map(({ case: { row, who, fault }, outcome, load }) => ({
      row,
      who,
      fault,
      ...outcome,
      load,
    }));
    console.log(JSON.stringify({ seed, rows }));
  } else console.log(tableOf(results.map(line)));
  return results.every(({ outcome }) => outcome.faults.length === 0) ? 0 : 1;
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

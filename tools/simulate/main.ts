import { parseArgs } from 'node:util';
import { progress } from '../terminal/progress.js';
import { simulate, type Outcome } from './simulation.js';
import { isPlantable, PLANTED, told } from './telling.js';

const USAGE = `Runs the whole platform in one process, from a seed, through every kind of fault.

  npm run simulate -- [--seeds N] [--from S] [--seed S] [--bug NAME] [--json]

  --seeds N   so many seeds (default 10000), from --from S (default 1)
  --seed S    only this one, with its whole history
  --bug NAME  plants a bug and stops at the first seed that finds it:
              ${Object.keys(PLANTED).join(', ')}
  --json      ends with one JSON object on a line

Exit code 1 where a promise was broken, and with --bug where the bug was not found.`;

/** What a shell gives for a program that was called wrongly. */
const MISUSED = 2;
const SEEDS = 10_000;
/** Failing seeds that are told in full; the rest is counted. */
const TOLD_MAX = 5;

const wholeNumber = (given: string | undefined, standard: number): number => {
  const number = Number(given ?? standard);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`${String(given)} is not a whole number.`);
};

const options = () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      bug: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { seed, bug } = values;
  if (bug !== undefined && !isPlantable(bug)) throw new Error(`There is no bug named ${bug}.`);
  const isOne = seed !== undefined;
  const first = wholeNumber(isOne ? seed : values.from, 1);
  return { ...values, bug, isOne, first, count: isOne ? 1 : wholeNumber(values.seeds, SEEDS) };
};

const sound = ({ seed, trace, steps, events, virtualMs }: Outcome): string =>
  `seed ${seed} (trace ${trace}): ${steps} steps, ${events} events, ${virtualMs} ms; all promises kept`;

type Options = ReturnType<typeof options>;

const tell = (outcome: Outcome, { isOne }: Options, failed: number): void => {
  if (isOne) console.log(outcome.history.join('\n'));
  const isSound = outcome.violations.length === 0;
  if (isSound && isOne) console.log(sound(outcome));
  if (!isSound && failed <= TOLD_MAX) console.log(told(outcome));
};

const summary = (done: number, failing: readonly number[], seconds: number): string => {
  const which = failing.length > 0 ? `: ${failing.join(', ')}` : '';
  return `${done} seeds in ${seconds} s, ${failing.length} failing${which}`;
};

const run = async (asked: Options): Promise<void> => {
  const { first, count, bug, isOne, json } = asked;
  const began = performance.now();
  const failing: number[] = [];
  const bar = isOne ? undefined : progress('seeds', count);
  let done = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const outcome = await simulate(seed, bug);
    done += 1;
    bar?.step();
    if (outcome.violations.length > 0) failing.push(seed);
    tell(outcome, asked, failing.length);
    if (bug !== undefined && failing.length > 0) break;
  }
  bar?.end();
  const seconds = Number(((performance.now() - began) / 1_000).toFixed(1));
  const ended = { seeds: done, failing, seconds, bug };
  console.log(json ? JSON.stringify(ended) : summary(done, failing, seconds));
  const isWell = (failing.length === 0) === (bug === undefined);
  process.exitCode = isWell ? 0 : 1;
};

try {
  const asked = options();
  if (asked.help) console.log(USAGE);
  else await run(asked);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  console.error(USAGE);
  process.exitCode = MISUSED;
}

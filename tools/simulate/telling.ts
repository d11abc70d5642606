import type { PlantedBug } from '#platform';
import { simulate, type Outcome } from './simulation.js';

/** Lines of a history that a failing test prints. */
const HISTORY_LINES_MAX = 80;

/** The bugs that are planted to try the checker, and the promises of which one is then broken. */
export const PLANTED: Readonly<Record<Exclude<PlantedBug, 'drop-emission'>, readonly string[]>> = {
  'acknowledge-before-append': ['V1'],
  'skip-position-guard': ['V13'],
  'checkpoint-before-documents': ['V13', 'V15'],
  'leave-room-late': ['V8'],
  'drop-resume-page': ['V4'],
  'reuse-n': ['V6'],
  'read-marks-go-back': ['V11'],
  'gap-on-resubscribe': ['V4', 'V13'],
  'dedup-only-in-memory': ['V3', 'V6'],
  'two-owners-of-a-partition': ['V', 'Z13'],
};

/** Whether a word names a bug that can be planted. */
export const isPlantable = (word: string): word is keyof typeof PLANTED => word in PLANTED;

/** The first seed that finds a bug, and how; nothing where none of them does. */
export const firstFinding = async (bug: string, seeds: number): Promise<Outcome | undefined> => {
  if (!isPlantable(bug)) throw new Error(`There is no bug named ${bug}.`);
  for (let seed = 1; seed <= seeds; seed += 1) {
    const outcome = await simulate(seed, bug);
    if (outcome.violations.length > 0) return outcome;
  }
  return undefined;
};

/** The places that a violation speaks of: `ab12#7`, and whoever it names. */
const wordsOf = (violations: readonly string[]): ReadonlySet<string> =>
  new Set(violations.flatMap((said) => said.match(/\b([0-9a-f]{4}(?:#\d+)?|[A-H][12])\b/g) ?? []));

const isTelling = (line: string, words: ReadonlySet<string>): boolean =>
  / (dies|starts|cannot|is away|is slow|is without|is closed|clock|faults end|is refused)/.test(
    line,
  ) || [...words].some((word) => word.includes('#') && line.includes(word));

/** What went wrong with a seed, and what happened before, shortened to what bears on it. */
export const told = ({ seed, trace, violations, history }: Outcome): string => {
  const words = wordsOf(violations);
  const telling = history.filter((line) => isTelling(line, words));
  const cut = telling.slice(-HISTORY_LINES_MAX);
  return [
    `seed ${seed} (trace ${trace}); again: npm run simulate -- --seed ${seed}`,
    ...cut.map((line) => `  ${line}`),
    ...violations.map((said) => `  VIOLATION ${said}`),
  ].join('\n');
};

import { describe, expect, it } from 'vitest';
import { CASES } from '../../tools/faults/cases.js';

/** Rows of the table that are tried each time; `npm run faults` tries all of them. */
const ROWS: ReadonlySet<string> = new Set(['T9', 'T21', 'T31', 'T34', 'T49']);
/** A silent line is found within 45 s; all else is faster. */
const ROW_MS_MAX = 180_000;

const seed = Math.floor(Math.random() * 2 ** 32);

describe('what was broken under load loses, doubles and misorders nothing', () => {
  const tried = CASES.filter(({ row, fault }) => ROWS.has(row) || fault === 'cut by RST');

  it.each(tried.map((one) => [one.row, one.fault, one] as const))(
    '[%s] %s',
    async (_row, _fault, { run }) => {
      const { faults } = await run(seed);
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    },
    ROW_MS_MAX,
  );
});

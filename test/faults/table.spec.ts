import { describe, expect, it } from 'vitest';
import { CASES } from '../../tools/faults/cases.js';

/** Rows of the table that are tried each time; `npm run faults` tries all of them. */
const ROWS: ReadonlySet<string> = new Set([
  '[T9] kill -9 of all at once',
  '[T21] the disk is full',
  '[T29] cut by RST',
  '[T31] only answers are dropped',
  '[T34] events that cannot be read',
  '[T49] the same device connects twice',
]);
/** A silent line is found within 45 s; all else is faster. */
const ROW_MS_MAX = 180_000;

const seed = Math.floor(Math.random() * 2 ** 32);

describe('what was broken under load loses, doubles and misorders nothing', () => {
  const titled = CASES.map(({ row, fault, run }) => ({ title: `[${row}] ${fault}`, run }));
  const tried = titled.filter(({ title }) => ROWS.has(title));

  it('has a case for each of these rows', () => {
    expect(tried.map(({ title }) => title).toSorted()).toEqual([...ROWS].toSorted());
  });

  it.each(tried)(
    '$title',
    async ({ run }) => {
      const { faults } = await run(seed);
      expect({ seed, faults }).toEqual({ seed, faults: [] });
    },
    ROW_MS_MAX,
  );
});
